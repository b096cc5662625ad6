"""What moto lacks. Each module patches one part of moto, for as long as a `with` block runs.

The patches are written for moto 5.2.5, the pinned version, and some patch its private names: run the tests of this
package and of `localaws.cloud` with every new pin. No version up to 5.2.5 makes one needless. `queues` and `tables`
may go with a version whose SQS and DynamoDB lock what they change, `state_machines` with one that knows ItemBatcher
and EXPRESS, `stacks` with one that keeps no empty entries, `fronts` with one whose stacks make HTTP APIs and function
URLs, `apis` with one that imports Swagger 2.0, `functions` with one without Docker.
"""
