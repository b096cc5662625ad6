"""What hostile pictures, requests and cards do to the function: `make hostile`. `worker` and `plain` run alone."""
