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
