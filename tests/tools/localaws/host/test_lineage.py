"""The trace header counts how often a function has run."""

from localaws.host import lineage

A, B = "arn:aws:lambda:us-east-1:1:function:a", "arn:aws:lambda:us-east-1:1:function:b"


def test_it_counts_each_function():
    trace = ""
    for arn in (A, B, A, A):
        trace = lineage.continued(trace, arn)
    assert (lineage.count(trace, A), lineage.count(trace, B)) == (3, 1)


def test_it_keeps_the_root_and_makes_one_where_there_is_none():
    first = lineage.continued("", A)
    root = first.partition(";")[0]
    assert root.startswith("Root=1-")
    assert lineage.continued(first, B).startswith(f"{root};Sampled=0;Lineage=")


def test_a_header_without_lineage():
    assert lineage.count("Root=1-0-0;Parent=1;Sampled=1", A) == 0
