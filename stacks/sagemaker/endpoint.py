"""The endpoint that serves the trained model: real-time with autoscaling, or serverless."""

from typing import Any

from aws_cdk import Duration, RemovalPolicy
from aws_cdk import aws_applicationautoscaling as autoscaling
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_iam as iam
from aws_cdk import aws_logs as logs
from aws_cdk import aws_sagemaker as sagemaker
from constructs import Construct

from stacks.data.stack import DataStack
from stacks.settings import Settings
from stacks.shared.layout import CAPTURE
from stacks.shared.rules import acknowledge
from stacks.shared.sagemaker.jobs import SageMakerJobs, volume_key

VARIANT = "main"
"""The name of the endpoint's only variant, which is a dimension of its metrics."""


class Endpoint(Construct):
    """Model, endpoint configuration and endpoint, with its alarms, its scaling and its log.

    The endpoint has a stable name, the project's. Model and configuration have none of their own: a change replaces
    them, which a fixed name would forbid, and the endpoint moves to the new ones.
    """

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        settings: Settings,
        *,
        jobs: SageMakerJobs,
        data: DataStack,
        role: iam.Role,
        model_data: str,
    ) -> None:
        """``role`` is ``endpoint_role``'s; with it SageMaker clears up after the endpoint is gone, so it is no part."""
        super().__init__(scope, construct_id)
        self._settings = settings
        self._chosen = settings.sagemaker.endpoint
        self._data = data
        self._serverless = self._chosen.mode == "serverless"
        self._scaled = not self._serverless and self._chosen.minimum < self._chosen.maximum
        self._role = role
        log = logs.LogGroup(
            self,
            "Log",
            log_group_name=self.log_group_name(settings.project),
            retention=logs.RetentionDays.ONE_MONTH,
            encryption_key=data.key,
            removal_policy=RemovalPolicy.DESTROY,
        )
        config = self._config(self._model(jobs, model_data))
        self._alarms()
        self.resource = sagemaker.CfnEndpoint(
            self,
            "Resource",
            endpoint_name=settings.project,
            endpoint_config_name=config.attr_endpoint_config_name,
            # A serverless endpoint moves all at once in any case (deployment-guardrails-exclusions, 2026-11-22).
            deployment_config=None if self._serverless else self._blue_green(config),
            **self._retained(),
        )
        self.resource.node.add_dependency(log)
        if self._scaled:
            self._scaling()

    @staticmethod
    def log_group_name(project: str) -> str:
        """The log group that SageMaker writes to for an endpoint of this name."""
        return f"/aws/sagemaker/Endpoints/{project}"

    def _model(self, jobs: SageMakerJobs, model_data: str) -> sagemaker.CfnModel:
        network = jobs.vpc_config()
        model = sagemaker.CfnModel(
            self,
            "Model",
            execution_role_arn=self._role.role_arn,
            primary_container=sagemaker.CfnModel.ContainerDefinitionProperty(
                image=jobs.image, model_data_url=model_data, environment=jobs.serving_environment("score.py")
            ),
            # A serverless endpoint runs in no network of ours (serverless-endpoints, 2026-11-22).
            vpc_config=None
            if self._serverless
            else sagemaker.CfnModel.VpcConfigProperty(
                security_group_ids=network["SecurityGroupIds"], subnets=network["Subnets"]
            ),
        )
        # The model is fetched and its network interfaces are made with the role's permissions.
        model.node.add_dependency(self._role)
        return model

    def _config(self, model: sagemaker.CfnModel) -> sagemaker.CfnEndpointConfig:
        chosen = self._chosen
        properties = sagemaker.CfnEndpointConfig.ProductionVariantProperty
        if self._serverless:
            variant = properties(
                variant_name=VARIANT,
                model_name=model.attr_model_name,
                initial_variant_weight=1,
                serverless_config=sagemaker.CfnEndpointConfig.ServerlessConfigProperty(
                    memory_size_in_mb=chosen.memory_mb, max_concurrency=chosen.concurrency
                ),
            )
        else:
            variant = properties(
                variant_name=VARIANT,
                model_name=model.attr_model_name,
                # The only variant gets all traffic, whatever its weight. This tells configurations apart where nothing
                # but `_retained` differs: an update to the one in use is refused (API_UpdateEndpoint, 2026-11-27).
                initial_variant_weight=2 if self._scaled else 1,
                instance_type=chosen.instance_type,
                initial_instance_count=chosen.minimum,
                container_startup_health_check_timeout_in_seconds=300,
                model_data_download_timeout_in_seconds=300,
            )
        key = storage_key(self._settings, self._data)
        config = sagemaker.CfnEndpointConfig(
            self,
            "Config",
            kms_key_id=key,
            production_variants=[variant],
            data_capture_config=self._capture() if chosen.capture_percent else None,
        )
        if key is None:
            acknowledge(
                config,
                {
                    "NIST.800.53.R5-SageMakerEndpointConfigurationKMSKeyConfigured": (
                        "The local disks of this instance type are encrypted by its hardware, and take no key."
                    )
                },
            )
        return config

    def _capture(self) -> sagemaker.CfnEndpointConfig.DataCaptureConfigProperty:
        options = [sagemaker.CfnEndpointConfig.CaptureOptionProperty(capture_mode=mode) for mode in ("Input", "Output")]
        return sagemaker.CfnEndpointConfig.DataCaptureConfigProperty(
            enable_capture=True,
            initial_sampling_percentage=self._chosen.capture_percent,
            destination_s3_uri=f"s3://{self._data.bucket.bucket_name}/{CAPTURE}/",
            kms_key_id=self._data.key.key_arn,
            capture_options=options,
            capture_content_type_header=sagemaker.CfnEndpointConfig.CaptureContentTypeHeaderProperty(
                csv_content_types=["text/csv"]
            ),
        )

    def _retained(self) -> dict[str, Any]:
        """The part that an update leaves as it is: the number of instances that the scaling has come to.

        Otherwise a new model starts with the least number in the middle of the day's traffic. Capture is among what is
        retained (VariantPropertyType), and follows the settings instead. Both count for updates alone, CreateEndpoint
        has no such fields (API_UpdateEndpoint, API_CreateEndpoint; botocore 1.44.5, read 2026-11-27).
        """
        if not self._scaled:
            return {}
        excluded = sagemaker.CfnEndpoint.VariantPropertyProperty(variant_property_type="DataCaptureConfig")
        return {"retain_all_variant_properties": True, "exclude_retained_variant_properties": [excluded]}

    def _alarms(self, config: str | None = None) -> list[cloudwatch.Alarm]:
        """Alarms that make somebody look; of the fleet with one configuration only, what makes a new model roll back.

        An old model that fails must not keep a better one from taking its place. A new fleet's metrics have the
        dimension EndpointConfigName as soon as it gets requests
        (sagemaker/latest/dg/deployment-guardrails-configuration.html, archived, read 2026-11-27).
        """
        name, latency = self._settings.project, self._chosen.latency_ms
        prefix, which = ("", "") if config is None else ("New", " since the last update; during one it rolls back")

        def alarm(construct_id: str, metric: str, statistic: str, at: int, periods: int, description: str) -> Any:
            watched = endpoint_metric(name, metric, statistic, config)
            text = f"{description}{which}"
            return self._data.alerts.alarm(
                self, f"{prefix}{construct_id}", watched, at=at, periods=periods, description=text
            )

        slow = f"95 of 100 answers take longer than {latency} ms"
        return [
            alarm("Errors5xx", "Invocation5XXErrors", "Sum", 1, 1, "5xx answers"),
            alarm(
                "ModelErrors",
                "InvocationModelErrors",
                "Sum",
                1,
                1,
                "The model's container did not answer with success",
            ),
            alarm("Latency", "ModelLatency", "p95", latency * 1000, 3, slow),  # in microseconds
        ]

    def _blue_green(self, config: sagemaker.CfnEndpointConfig) -> sagemaker.CfnEndpoint.DeploymentConfigProperty:
        """A new model gets a fleet of its own; traffic moves to it, and back if an alarm of that fleet rings meanwhile.

        Half of the traffic first, where there are two instances to halve it with (API_TrafficRoutingConfig).
        """
        endpoint = sagemaker.CfnEndpoint
        alarms = self._alarms(config.attr_endpoint_config_name)
        canary = self._chosen.minimum >= 2
        routing = endpoint.TrafficRoutingConfigProperty(
            type="CANARY" if canary else "ALL_AT_ONCE",
            wait_interval_in_seconds=300,
            canary_size=endpoint.CapacitySizeProperty(type="CAPACITY_PERCENT", value=50) if canary else None,
        )
        return endpoint.DeploymentConfigProperty(
            blue_green_update_policy=endpoint.BlueGreenUpdatePolicyProperty(
                traffic_routing_configuration=routing,
                termination_wait_in_seconds=300,
                maximum_execution_timeout_in_seconds=3600,
            ),
            auto_rollback_configuration=endpoint.AutoRollbackConfigProperty(
                alarms=[endpoint.AlarmProperty(alarm_name=alarm.alarm_name) for alarm in alarms]
            ),
        )

    def _scaling(self) -> None:
        """As many instances as the traffic needs; the service's own role does it (service-linked)."""
        chosen = self._chosen
        target = autoscaling.CfnScalableTarget(
            self,
            "ScalableTarget",
            service_namespace="sagemaker",
            scalable_dimension="sagemaker:variant:DesiredInstanceCount",
            resource_id=f"endpoint/{self.resource.attr_endpoint_name}/variant/{VARIANT}",
            min_capacity=chosen.minimum,
            max_capacity=chosen.maximum,
        )
        policy = autoscaling.CfnScalingPolicy
        policy(
            self,
            "ScalingPolicy",
            policy_name="invocations-per-instance",
            policy_type="TargetTrackingScaling",
            scaling_target_id=target.ref,
            target_tracking_scaling_policy_configuration=policy.TargetTrackingScalingPolicyConfigurationProperty(
                target_value=chosen.invocations_per_instance,
                predefined_metric_specification=policy.PredefinedMetricSpecificationProperty(
                    predefined_metric_type="SageMakerVariantInvocationsPerInstance"
                ),
                scale_in_cooldown=chosen.scale_in_seconds,
                scale_out_cooldown=chosen.scale_out_seconds,
            ),
        )


def storage_key(settings: Settings, data: DataStack) -> str | None:
    """The key of the instances' storage; of a serverless endpoint that of its copy of the image."""
    chosen = settings.sagemaker.endpoint
    return data.key.key_arn if chosen.mode == "serverless" else volume_key(chosen.instance_type, data.key)


def endpoint_metric(endpoint: str, name: str, statistic: str, config: str | None = None) -> cloudwatch.Metric:
    """A metric of an endpoint's only variant, a value a minute; of all fleets, or of that with one configuration."""
    dimensions = {"EndpointName": endpoint, "VariantName": VARIANT}
    return cloudwatch.Metric(
        namespace="AWS/SageMaker",
        metric_name=name,
        dimensions_map=dimensions if config is None else {**dimensions, "EndpointConfigName": config},
        statistic=statistic,
        period=Duration.minutes(1),
    )
