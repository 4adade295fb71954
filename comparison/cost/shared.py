"""How what the sides share, and what every stack has, is billed."""

import json
from collections.abc import Iterator

from comparison.cost.billing import Bill, Billed, Resource
from comparison.cost.lines import GB


def _bucket(resource: Resource) -> Iterator[Billed]:
    """The raw data, and what the runs of every side write; the bucket of access logs is not priced."""
    buckets = resource.assembly.resources("AWS::S3::Bucket")
    logging = [resource.assembly.properties(*each).get("LoggingConfiguration", {}) for each in buckets]
    logged = [each.get("DestinationBucketName") for each in logging]
    if resource.assembly.resolve(resource.stack, {"Ref": resource.name}) in logged:
        yield resource.not_priced("access logs: a few hundred bytes a request, kept for a limited time")
        return
    raw = resource.runtime.raw_bytes_per_event / GB
    yield resource.item("raw data", "s3/storage", (raw, ("months", "events")))
    for name in resource.pipelines:
        work = resource.runtime.of(name)
        written = work.bytes_per_event / GB
        yield resource.item("what runs write", "s3/storage", (written, ("runs", "events", "kept_months")), side=name)
        yield resource.item("requests that write", "s3/put", (work.puts, ("runs",)), side=name)
        yield resource.item("requests that read", "s3/get", (work.gets, ("runs",)), side=name)


def _key(resource: Resource) -> Iterator[Billed]:
    yield resource.item("key", "kms/key", (1, ("months",)))
    yield resource.not_priced("requests: few, since the bucket keeps keys of its own (0.03 US dollars for 10,000)")


def _vpc_endpoint(resource: Resource) -> Iterator[Billed]:
    properties = resource.properties
    if properties.get("VpcEndpointType", "Gateway") != "Interface":
        yield resource.not_priced("gateway endpoints are free")
        return
    zones = len(properties["SubnetIds"])
    service = str(properties["ServiceName"]).rpartition(".")[2]
    yield resource.item(
        "interface endpoint",
        "endpoint/hour",
        (zones, ("hours",)),
        detail=f"to {service}, {zones} {'zone' if zones == 1 else 'zones'}",
    )
    yield resource.not_priced("data: requests and responses of a few kB only (0.01 US dollars a GB)")


def _nat(resource: Resource) -> Iterator[Billed]:
    yield resource.item("NAT gateway", "nat/hour", (1, ("hours",)))
    yield resource.not_priced("data: S3 has a gateway endpoint, the rest is little (0.045 US dollars a GB)")


def _alarm(resource: Resource) -> Iterator[Billed]:
    """Billed for every metric that it looks at (aws.amazon.com/cloudwatch/pricing, 2026-11-22)."""
    properties = resource.properties
    metrics = sum("MetricStat" in metric for metric in properties.get("Metrics", [])) or 1
    yield resource.item(
        "alarm",
        "cloudwatch/alarm",
        (metrics, ("months",)),
        detail=f"{metrics} {'metric' if metrics == 1 else 'metrics'}",
        serving="AWS/SageMaker" in json.dumps(properties),
    )


def _dashboard(resource: Resource) -> Iterator[Billed]:
    yield resource.item("dashboard", "cloudwatch/dashboard", (1, ("months",)))


_FREE = "free of charge"
_DEPLOYMENT = "called in a deployment or once a run, for seconds: less than a cent"

RESOURCES: dict[str, Bill | str] = {
    "AWS::Budgets::Budget": "free of charge without actions",
    "AWS::CDK::Metadata": _FREE,
    "AWS::CloudWatch::Alarm": _alarm,
    "AWS::CloudWatch::Dashboard": _dashboard,
    "AWS::CodeBuild::Project": "builds once a deployment, some minutes (0.005 US dollars each)",
    "AWS::EC2::EIP": "the NAT gateway's; a public address is 0.005 US dollars an hour, which is not in the price file",
    "AWS::EC2::FlowLog": "what it writes depends on the traffic (0.50 US dollars a GB)",
    "AWS::EC2::InternetGateway": _FREE,
    "AWS::EC2::NatGateway": _nat,
    "AWS::EC2::Route": _FREE,
    "AWS::EC2::RouteTable": _FREE,
    "AWS::EC2::SecurityGroup": _FREE,
    "AWS::EC2::SecurityGroupEgress": _FREE,
    "AWS::EC2::SecurityGroupIngress": _FREE,
    "AWS::EC2::Subnet": _FREE,
    "AWS::EC2::SubnetRouteTableAssociation": _FREE,
    "AWS::EC2::VPC": _FREE,
    "AWS::EC2::VPCEndpoint": _vpc_endpoint,
    "AWS::EC2::VPCGatewayAttachment": _FREE,
    "AWS::Events::Rule": "events of AWS services are free of charge",
    "AWS::Glue::Database": "a million objects and a million requests a month are free of charge",
    "AWS::Glue::Table": "a million objects and a million requests a month are free of charge",
    "AWS::IAM::InstanceProfile": _FREE,
    "AWS::IAM::ManagedPolicy": _FREE,
    "AWS::IAM::Policy": _FREE,
    "AWS::IAM::Role": _FREE,
    "AWS::KMS::Alias": _FREE,
    "AWS::KMS::Key": _key,
    "AWS::Lambda::Function": _DEPLOYMENT,
    "AWS::Lambda::LayerVersion": _FREE,
    "AWS::Lambda::Permission": _FREE,
    "AWS::Logs::LogGroup": "what jobs write depends on the run: some MB (0.50 US dollars a GB), kept for a month",
    "AWS::S3::Bucket": _bucket,
    "AWS::S3::BucketPolicy": _FREE,
    "AWS::SNS::Subscription": "a message an alarm; a thousand a month are free of charge",
    "AWS::SNS::Topic": "a message an alarm; a million a month are free of charge",
    "AWS::SNS::TopicPolicy": _FREE,
    "AWS::SQS::Queue": "holds what the time to live could not do; a million requests a month are free of charge",
    "AWS::SQS::QueuePolicy": _FREE,
    "AWS::Scheduler::Schedule": "rings once, and hourly while it is refused; 14 million a month are free of charge",
    "Custom::*": "a call of a function, in a deployment only",
    "Custom::Execution": "what it starts runs once a deployment: data, code, or one run of the pipeline",
}
"""By CloudFormation type: what bills it, or why it has no price of its own (aws.amazon.com, 2026-11-22)."""
