import pytest

from chalicelib.api.customers import OTHERS, Customer, customer_of
from tests.support.requests import FakeRequest


class TestCustomer:
    @staticmethod
    def of(header=None, key=None) -> Customer:
        headers = {} if header is None else {"x-customer-id": header}
        return customer_of(FakeRequest(headers=headers, context={"identity": {"apiKeyId": key}}), ("42", "43"))

    def test_a_known_customer(self):
        assert self.of("42") == Customer("42", "42")

    def test_one_that_is_not_known_is_named_in_the_log_only(self):
        assert self.of("44") == Customer("44", OTHERS)

    @pytest.mark.parametrize("header", [None, "", "x" * 65, 'a"b', "a b", "ü", "a\nb"])
    def test_none_at_all(self, header):
        assert self.of(header) == Customer(None, OTHERS)

    def test_the_api_key_counts_more_than_the_header(self):
        assert self.of("42", key="k1a2b3") == Customer("k1a2b3", "k1a2b3")

    @pytest.mark.parametrize("context", [None, {}, {"identity": None}, {"identity": {}}])
    def test_a_context_without_a_key(self, context):
        assert customer_of(FakeRequest(context=context), ()) == Customer(None, OTHERS)


def named(**context) -> Customer:
    return customer_of(FakeRequest(headers={"x-customer-id": "42"}, context=context), ("42", "43", "AIDA1"))


class TestWhoTheFrontHasChecked:
    def test_the_subject_of_a_token_counts_more_than_the_header(self):
        claims = {"sub": "0f3c-7", "client_id": "x"}
        assert named(authorizer={"claims": claims}) == Customer("0f3c-7", OTHERS)
        assert named(authorizer={"claims": {"sub": "43"}}) == Customer("43", "43")

    def test_an_issuer_s_own_spelling_is_a_name(self):
        assert named(authorizer={"claims": {"sub": "auth0|5f7c8"}}) == Customer("auth0_5f7c8", OTHERS)

    def test_a_key_counts_more_than_the_token(self):
        assert named(identity={"apiKeyId": "k1"}, authorizer={"claims": {"sub": "43"}}) == Customer("k1", "k1")

    @pytest.mark.parametrize(
        ("arn", "caller", "name"),
        [
            ("arn:aws:iam::123456789012:user/alice", "AIDA1", "AIDA1"),
            ("arn:aws:sts::123456789012:assumed-role/backend/any", "AROA1:any", "AROA1"),
        ],
    )
    def test_a_signature_names_the_user_or_the_role_but_not_the_session(self, arn, caller, name):
        signed = {"identity": {"userArn": arn, "caller": caller}}
        found = customer_of(FakeRequest(context=signed), ("AIDA1",))
        assert found == Customer(name, name if name == "AIDA1" else OTHERS)

    def test_a_program_that_signs_says_for_whom_it_asks(self):
        assert named(identity={"userArn": "arn:aws:iam::123456789012:user/shop", "caller": "AIDA1"}).name == "42"

    @pytest.mark.parametrize(
        "context",
        [
            {"identity": 5},
            {"identity": {"apiKeyId": 5}},
            {"identity": {"caller": "AIDA1"}},  # of nobody who has signed
            {"identity": {"caller": ["AIDA1"], "userArn": "arn"}},
            {"identity": {"caller": "", "userArn": "arn"}},
            {"authorizer": None},
            {"authorizer": "x"},
            {"authorizer": {"claims": None}},
            {"authorizer": {"claims": {}}},
            {"authorizer": {"claims": {"sub": 5}}},
            {"authorizer": {"claims": {"sub": "x" * 65}}},
        ],
    )
    def test_otherwise_the_header_does(self, context):
        assert named(**context) == Customer("42", "42")
