"""The batch: thousands of pictures in S3, each with exactly one result, even if functions crash or messages repeat.

What runs on Lambda, in the order of a batch's life: `service` starts a batch, `listing` lists its keys page by page
and queues them, `worker` classifies, `table` keeps results and counts, and `results` writes `results.jsonl` and
`summary.json` with the `cost`. `record` holds the types, `items` their form in DynamoDB, `messages` that of the
listing queue's messages, and `wiring` makes all of these for one stage.

`cli` is the command line `python -m chalicelib.batch`; Lambda never imports it.
"""
