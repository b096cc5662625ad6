"""The batch: thousands of pictures, each with exactly one result, whatever is killed or delivered twice on the way.

`service` starts a batch and tells of it, `listing` lists its keys page by page, `worker` classifies, `finish` writes
`results.jsonl` and `summary.json`; `table` keeps results and counts together. `python -m chalicelib.batch` is the
command line; what it alone needs (`command`, `folder`, `remote`, `progress`) is never imported on Lambda.
"""
