"""The CDK app: settings, then the stacks in the order in which they deploy."""

import sys

from aws_cdk import App, Tags
from aws_cdk import aws_iam as iam

from common.command import InputError
from stacks.comparison.stack import ComparisonStack
from stacks.data.stack import DataStack
from stacks.network.stack import NetworkStack
from stacks.settings import Settings
from stacks.shared.sides import side_module


def build(app: App) -> Settings:
    """Add every stack to the app, from the settings in the app's context."""
    settings = Settings.from_context(app.node.get_all_context() or {})
    network = NetworkStack(app, f"{settings.project}-network", settings)
    data = DataStack(app, f"{settings.project}-data", settings, network)
    sides = [
        side_module(side, "stack").SideStack(app, f"{settings.project}-{side}", settings, network, data)
        for side in settings.sides
    ]
    comparison = ComparisonStack(app, f"{settings.project}-comparison", settings, data)
    for side in sides:
        comparison.add_dependency(side)
    for stack in (network, data, *sides, comparison):
        for key, value in settings.tags(expires=stack in sides).items():
            Tags.of(stack).add(key, value)
    if settings.permissions_boundary is not None:
        boundary = iam.ManagedPolicy.from_managed_policy_name(network, "Boundary", settings.permissions_boundary)
        iam.PermissionsBoundary.of(app).apply(boundary)
    return settings


if __name__ == "__main__":
    app = App()
    try:
        build(app)
    except InputError as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(2)
    app.synth()
