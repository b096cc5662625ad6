"""Asks a deployed stage what no machine here can answer: `stage` finds it, `plan` says what that costs at most,
`requests`, `jobs` and `settings` ask, `report` writes the answers down.
"""
