"""The pollers of one mapping of a stream: read a shard in order, invoke, split, try again, and give up in time.

Sources: AWS Lambda developer guide, "How Lambda processes records from stream and queue-based event sources",
"Configuring partial batch response with Kinesis Data Streams and Lambda" and "Retain discarded batch records".
"""

import json
import logging
import threading
import time
from collections.abc import MutableMapping
from typing import Any, NamedTuple

from botocore.exceptions import BotoCoreError, ClientError

from localaws.cloud.stream_batch import StreamRecord, failed_from, kinesis_record, stream_event, table_record

LOOK_EVERY_S = 0.2
WAIT_S = (0.05, 1.0)
"""Before the first try again, and at most; each wait is twice as long as the one before."""
_THROTTLED = "TooManyRequestsException"
_LOG = logging.getLogger("localaws")


class _Batch(NamedTuple):
    records: list[StreamRecord]
    tries: int = 0
    """Which have failed, without those that only split the batch."""


class StreamPollers:
    """A thread for each shard. `checkpoints` holds the last sequence number of each that is done with."""

    def __init__(
        self, owner: Any, reader: Any, sqs: Any, mapping: dict[str, Any], checkpoints: MutableMapping[str, str]
    ) -> None:
        """`owner` is Lambda with all rights; `reader`, the stream's client, and `sqs` have those of the function."""
        self._lambda, self._reader, self._sqs, self._mapping = owner, reader, sqs, mapping
        self._arn, self._checkpoints = str(mapping["EventSourceArn"]), checkpoints
        self._of_table = ":dynamodb:" in self._arn
        self._stopping = threading.Event()
        found = reader.describe_stream(**({"StreamArn": self._arn} if self._of_table else {"StreamARN": self._arn}))
        shards = [shard["ShardId"] for shard in found["StreamDescription"]["Shards"]]
        self._threads = [threading.Thread(target=self._follow, args=(shard,), daemon=True) for shard in shards]
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """Let the threads end after what they do now."""
        self._stopping.set()

    def join(self) -> None:
        """Wait for their end."""
        for thread in self._threads:
            thread.join()

    def _follow(self, shard: str) -> None:
        iterator: str | None = None
        while not self._stopping.is_set():
            try:
                iterator = iterator or self._iterator(shard)
                records, iterator = self._read(iterator)
                self._process(shard, records)
            except (BotoCoreError, ClientError) as error:
                iterator = None
                if not self._stopping.wait(1.0):
                    _LOG.warning("%s: %s", self._arn, error)
            else:
                if not records:
                    self._stopping.wait(LOOK_EVERY_S)

    def _iterator(self, shard: str) -> str:
        name = "StreamArn" if self._of_table else "StreamARN"
        after = self._checkpoints.get(shard)
        where = {"ShardIteratorType": self._mapping.get("StartingPosition", "TRIM_HORIZON")}
        if after is not None:
            number = "SequenceNumber" if self._of_table else "StartingSequenceNumber"
            where = {"ShardIteratorType": "AFTER_SEQUENCE_NUMBER", number: after}
        answer = self._reader.get_shard_iterator(**{name: self._arn}, ShardId=shard, **where)
        return str(answer["ShardIterator"])

    def _read(self, iterator: str) -> tuple[list[StreamRecord], str]:
        more = {} if self._of_table else {"StreamARN": self._arn}
        answer = self._reader.get_records(ShardIterator=iterator, Limit=self._mapping["BatchSize"], **more)
        made = table_record if self._of_table else kinesis_record
        return [made(record, self._arn) for record in answer["Records"]], answer["NextShardIterator"]

    def _process(self, shard: str, records: list[StreamRecord]) -> None:
        """Work through the records in order; what is left when the poller stops comes again from the checkpoint."""
        waiting = [_Batch(records)] if records else []
        while waiting and not self._stopping.is_set():
            batch = waiting.pop(0)
            batch = self._without_old(shard, batch)
            if not batch.records:
                continue
            failed, is_error = self._invoke(shard, batch.records)
            done = batch.records[:failed]
            if done:
                self._checkpoints[shard] = done[-1].number
            rest = _Batch(batch.records[failed:], batch.tries if not done else 0)
            if rest.records:
                waiting = [*self._again(shard, rest, is_error), *waiting]

    def _again(self, shard: str, batch: _Batch, is_error: bool) -> list[_Batch]:
        """The batches that take a failed one's place; none if its tries are used up."""
        if self._mapping.get("BisectBatchOnFunctionError") and is_error and len(batch.records) > 1:
            middle = len(batch.records) // 2
            return [_Batch(batch.records[:middle], batch.tries), _Batch(batch.records[middle:], batch.tries)]
        most = self._mapping.get("MaximumRetryAttempts", -1)
        if 0 <= most <= batch.tries:
            self._give_up(shard, batch.records, "RetryAttemptsExhausted", batch.tries + 1)
            return []
        first_s, most_s = WAIT_S
        self._stopping.wait(min(most_s, first_s * 2**batch.tries))
        return [_Batch(batch.records, batch.tries + 1)]

    def _without_old(self, shard: str, batch: _Batch) -> _Batch:
        most_s = self._mapping.get("MaximumRecordAgeInSeconds", -1)
        if most_s < 0:
            return batch
        oldest = time.time() - most_s
        old = [record for record in batch.records if record.arrived < oldest]
        if old:
            self._give_up(shard, old, "RecordAgeExceeded", batch.tries)
        return _Batch([record for record in batch.records if record.arrived >= oldest], batch.tries)

    def _invoke(self, shard: str, records: list[StreamRecord]) -> tuple[int, bool]:
        """How many of the records are done with, and whether the function failed as a whole."""
        event = stream_event(records, shard)
        while not self._stopping.is_set():
            try:
                answer = self._lambda.invoke(FunctionName=self._mapping["FunctionArn"], Payload=event)
            except ClientError as error:
                if error.response["Error"]["Code"] != _THROTTLED:
                    raise
                self._stopping.wait(LOOK_EVERY_S)
                continue
            payload = answer["Payload"].read()
            if "FunctionError" in answer:
                return 0, True
            if "ReportBatchItemFailures" in self._mapping.get("FunctionResponseTypes", []):
                return failed_from(payload, [record.number for record in records]), False
            return len(records), False
        return 0, False

    def _give_up(self, shard: str, records: list[StreamRecord], condition: str, tries: int) -> None:
        """Tell the OnFailure queue which records were left out; the stream still has them."""
        arn = self._mapping.get("DestinationConfig", {}).get("OnFailure", {}).get("Destination", "")
        self._checkpoints[shard] = records[-1].number
        _LOG.warning("%s: %d records given up (%s)", self._arn, len(records), condition)
        if ":sqs:" in arn:
            info = {
                "shardId": shard,
                "startSequenceNumber": records[0].number,
                "endSequenceNumber": records[-1].number,
                "batchSize": len(records),
                "streamArn": self._arn,
            }
            context = {"functionArn": self._mapping["FunctionArn"], "condition": condition}
            body = {
                "version": "1.0",
                "requestContext": {**context, "approximateInvokeCount": tries},
                "DDBStreamBatchInfo" if self._of_table else "KinesisBatchInfo": info,
            }
            url = self._sqs.get_queue_url(QueueName=arn.rpartition(":")[2])["QueueUrl"]
            self._sqs.send_message(QueueUrl=url, MessageBody=json.dumps(body))
