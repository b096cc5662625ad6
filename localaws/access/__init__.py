"""Who may do what: the calls that functions make, held against the policies of their roles."""
