"""AWS on one machine: moto answers for the services, and Lambda functions run as they do on Lambda.

A function instance is a process of AWS's own runtime client (`awslambdaric`) that sees the unpacked
function zip, the unpacked layers, and nothing else of this machine's Python packages. `python -m localaws up`
deploys the project into it; `localaws.cloud.local_aws.LocalAws` (all of it) and
`localaws.host.lambda_host.LambdaHost` (functions alone) are the same for tests and other programs. This file imports
nothing, since serving the app alone needs no moto.
"""
