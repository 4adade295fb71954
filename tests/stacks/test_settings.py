import json
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from common.command import InputError
from stacks.settings import Settings, setting_names
from tests.stacks.conftest import CHANGED, ONE_SIDE, OTHERS


def test_defaults_need_nothing() -> None:
    assert Settings.from_context({}) == Settings()


def test_changed_configuration_changes_every_setting_but_the_only_dataset() -> None:
    defaults = Settings().flat()
    configurations = [
        Settings.from_context(context).flat() for context in (CHANGED, *OTHERS.values(), *ONE_SIDE.values())
    ]
    same = [name for name in setting_names() if all(defaults[name] == changed[name] for changed in configurations)]
    assert same == ["dataset.name"]


def test_command_line_texts_are_converted() -> None:
    settings = Settings.from_context({"dataset.events": "5000", "hyperparameters.lambda": "2.5"})
    assert settings.dataset.events == 5000
    assert settings.hyperparameter_texts["lambda"] == "2.5"


def test_sides_are_kept_in_the_order_given() -> None:
    assert Settings().sides == ("sagemaker", "emr")
    for names in ("emr,sagemaker", ["emr", "sagemaker"]):
        assert Settings.from_context({"sides": names}).sides == ("emr", "sagemaker")


def test_keys_of_the_cdk_are_left_alone() -> None:
    context = {
        "@aws-cdk/core:checkSecretUsage": True,
        "aws:cdk:enable-path-metadata": True,
        "availability-zones:account=1:region=eu-west-1": ["eu-west-1a"],
        "acknowledged-issue-numbers": [1],
    }
    assert Settings.from_context(context) == Settings()


@pytest.mark.parametrize(
    ("context", "message"),
    [
        (
            {"emr.core.instance_typ": "m5.xlarge"},
            "unknown setting emr.core.instance_typ.*did you mean emr.core.instance_type?",
        ),
        ({"dataset": "webshop"}, "unknown setting dataset='webshop'"),
        ({"dataset.events": "many"}, 'setting dataset.events="many": .*integer'),
        ({"dataset.events": "10"}, 'setting dataset.events="10": .*1000'),
        ({"dataset.name": "nowhere"}, "dataset.name='nowhere' is not a folder .* allowed: .*webshop"),
        ({"dataset.location": "/tmp/data"}, "setting dataset.location="),
        (
            {"sagemaker.train.instance_type": "ml.m5.xlrge"},
            "not an instance type of SageMaker Training; did you mean ml.m5.",
        ),
        ({"sagemaker.train.instance_type": "m5.xlarge"}, "not an instance type of SageMaker Training"),
        ({"emr.core.instance_type": "ml.m5.xlarge"}, "not an instance type of EC2"),
        ({"emr.core.instance_type": "m6g.xlarge"}, "Arm"),
        ({"emr.core.instance_type": "t3.xlarge"}, "has what EMR 7 runs"),
        ({"sagemaker.endpoint.instance_type": "ml.m6g.large"}, "endpoint.instance_type.*Arm"),
        ({"emr.task.instance_type": "g5g.xlarge"}, "task.instance_type.*Arm"),
        ({"emr.primary.instance_type": "a1.xlarge"}, "Arm"),
        ({"sagemaker.train.instance_type": "ml.g5.xlarge"}, "train.instance_type.*GPU"),
        ({"sagemaker.prepare.instance_type": "ml.g4dn.xlarge"}, "GPU"),
        ({"sagemaker.score.instance_type": "ml.inf2.xlarge"}, "GPU or another accelerator"),
        ({"sagemaker.endpoint.instance_type": "ml.inf1.xlarge"}, "GPU or another accelerator"),
        ({"dataset.instance_type": "ml.p5.4xlarge"}, "GPU"),
        ({"emr.core.instance_type": "g4dn.xlarge"}, "GPU"),
        ({"sagemaker.train.instance_type": "ml.p3.2xlarge"}, "processor is not known"),
        ({"emr.core.instance_type": "m5.large"}, "xlarge or larger"),
        ({"emr.release": "emr-spark-8.1.0"}, 'setting emr.release="emr-spark-8.1.0"'),
        ({"emr.release": "emr-6.15.0"}, 'setting emr.release="emr-6.15.0": must be one of EMR 7, like emr-7.14.0'),
        ({"emr_serverless.vcpus": "9" * 5_000}, f'setting emr_serverless.vcpus="{"9" * 299}...: '),
        ({"emr.minimum": "9"}, "setting emr: minimum 9 is above maximum 4"),
        ({"sagemaker.endpoint.minimum": "9"}, "setting sagemaker.endpoint: minimum 9 is above maximum 4"),
        ({"hyperparameters.eta": "0"}, "setting hyperparameters: eta='0' must be a number above 0 up to 1"),
        ({"hyperparameters.max_dept": 3}, "did you mean hyperparameters.max_depth"),
        ({"project": "Has Spaces"}, "setting project="),
        ({"sides": "sagemaker,emrr"}, 'setting sides="sagemaker,emrr": must name sides; allowed are sagemaker, emr'),
        ({"sides": ""}, 'setting sides="": must name sides; allowed are sagemaker, emr'),
        ({"sides": "sagemaker,,emr"}, "must name sides; allowed are"),
        ({"sides": "sagemaker, emr"}, "must name sides; allowed are"),
        ({"sides": []}, "must name sides; allowed are"),
        ({"sides": 5}, "setting sides=5: must name sides"),
        ({"sides": [{}]}, "must name sides; allowed are"),
        ({"sides": "emr,emr"}, "must name each side once; allowed are"),
        ({"network.cidr": "8.8.0.0/20"}, 'setting network.cidr="8.8.0.0/20": is not private'),
        ({"network.cidr": "10.42.1.0/20"}, "setting network.cidr=.*host bits"),
        ({"network.cidr": "172.32.0.0/16"}, "is not private"),
        ({"network.cidr": "192.0.0.0/16"}, "is not private"),
        ({"network.cidr": "172.0.0.0/16"}, "is not private"),
        ({"network.cidr": "10.0.0.0/8"}, "allowed are /16 to /22"),
        ({"network.cidr": "10.42.0.0/24"}, "allowed are /16 to /22"),
        ({"network.cidr": "10.42.0.0/255.255.240.0"}, "is written 10.42.0.0/20"),
        ({"network.cidr": "10.42.0.0"}, "is written 10.42.0.0/32"),
        ({"network.cidr": "10.\uff14\uff12.0.0/20"}, "setting network.cidr="),
        ({"network.cidr": "fd00::/20"}, "is not a network"),
        ({"time_to_live_hours": True}, "setting time_to_live_hours=true: must be a whole number"),
        ({"time_to_live_hours": "1_0"}, 'setting time_to_live_hours="1_0": must be a whole number'),
        ({"time_to_live_hours": "\uff11\uff10"}, "setting time_to_live_hours=.*plain digits"),
        ({"time_to_live_hours": "\u0661"}, "must be a whole number"),
        ({"time_to_live_hours": " 5"}, "must be a whole number"),
        ({"time_to_live_hours": "5.0"}, "must be a whole number"),
        ({"time_to_live_hours": 5.0}, "must be a whole number"),
        ({"emr.minimum": True}, "setting emr.minimum=true: must be a whole number"),
        ({"hyperparameters.num_round": "1_0"}, "num_round='1_0' must be a whole number"),
        ({"hyperparameters.eta": "0.\uff11"}, "eta='0.\uff11' must be a number"),
        ({"hyperparameters.seed": True}, "seed='True' must be a whole number"),
        ({"emr.release": "emr-7.\uff11.0"}, "setting emr.release="),
        ({"network.vpc_id": "vpc-12345678"}, "vpc_id and subnet_ids go together"),
        ({"network.vpc_id": "vpc-12345678", "network.subnet_ids": "subnet-12345678"}, "an endpoint needs two"),
        (
            {
                "network.vpc_id": "vpc-12345678",
                "network.subnet_ids": "subnet-12345678,subnet-2345678a",
                "network.nat": 1,
            },
            "nat: not with a network of your own",
        ),
        ({"network.subnet_ids": "here"}, 'setting network.subnet_ids.0="here"'),
        ({"emr.task.spot": True, "emr.task.count": 1}, "only with provisioning=fleets"),
        ({"emr.task.spot": True, "emr.provisioning": "fleets"}, "task.count is 0"),
        ({"emr.core.alternatives": "m5a.xlarge"}, "core.alternatives: only with provisioning=fleets"),
        ({"emr.task.count": 4}, "together above maximum 4"),
        ({"sagemaker.endpoint.memory_mb": 1500}, "multiple of 1024"),
        ({"sagemaker.endpoint.mode": "serverless", "sagemaker.endpoint.capture_percent": 5}, "captures nothing"),
        ({"alerts.email": "nobody"}, 'setting alerts.email="nobody"'),
        ({"time_to_live_hours": -1}, "setting time_to_live_hours=-1"),
    ],
)
def test_bad_setting_is_one_clear_line(context: dict[str, object], message: str) -> None:
    with pytest.raises(InputError, match=message) as error:
        Settings.from_context(context)
    assert "\n" not in str(error.value)


# What the sides that are not there by default have: whole numbers from and to, and instance types.
NUMBERS = {
    "emr_serverless.executors": (1, 1_000),
    "emr_serverless.vcpus": (1, 32),
    "emr_serverless.memory_gb": (8, 30),
    "emr_serverless.disk_gb": (20, 200),
    "emr_serverless.maximum_vcpus": (1, 100_000),
    "emr_serverless.maximum_memory_gb": (1, 1_000_000),
    "emr_serverless.idle_minutes": (1, 10_080),
    **{f"sagemaker_spark.{stage}.instance_count": (1, 100) for stage in ("prepare", "train", "evaluate", "score")},
    **{f"sagemaker_spark.{stage}.volume_gb": (1, 16_384) for stage in ("prepare", "train", "evaluate")},
}
INSTANCES = {
    "sagemaker_spark.prepare.instance_type": "SageMaker Processing",
    "sagemaker_spark.train.instance_type": "SageMaker Training",
    "sagemaker_spark.evaluate.instance_type": "SageMaker Processing",
    "sagemaker_spark.score.instance_type": "SageMaker Batch Transform",
}


def said_of(context: dict[str, object]) -> str:
    with pytest.raises(InputError) as error:
        Settings.from_context(context)
    assert "\n" not in str(error.value)
    return str(error.value)


def test_every_setting_of_the_further_sides_has_its_bad_values_here() -> None:
    further = [name for name in setting_names() if name.startswith(("emr_serverless.", "sagemaker_spark."))]
    assert sorted(further) == sorted([*NUMBERS, *INSTANCES])


@pytest.mark.parametrize("name", NUMBERS)
def test_a_number_of_a_further_side_is_a_whole_one_within_its_limits(name: str) -> None:
    least, most = NUMBERS[name]
    others: tuple[object, ...] = (True, "1.0", 2.0, "many", "", "\uff18", None, [], {"more": 1})
    for other in others:
        said = said_of({name: other})
        assert said.startswith(f"setting {name}={json.dumps(other)}: ")
        assert re.search("whole number|valid integer", said)
    group, _, short = name.rpartition(".")
    for value, limit in ((least - 1, least), (-1, least), (most + 1, most), (10**12, most)):
        said = said_of({name: value})
        assert re.match(f"setting ({name}|{group}: {short})={value}: ", said), said
        assert re.search(rf"\b{limit}\b", said), said


@pytest.mark.parametrize("name", INSTANCES)
def test_an_instance_type_of_a_further_side_is_one_that_its_job_runs_on(name: str) -> None:
    unknown = f"is not an instance type of {INSTANCES[name]}"
    for value, message in {
        "m5.xlarge": f"{unknown}; did you mean ml.m5.xlarge?",
        "ml.m5.xlrge": f"{unknown}; did you mean ml.m5.xlarge?",
        "": unknown,
        "ml.g5.xlarge": "has a GPU or another accelerator, which nothing here uses",
    }.items():
        assert said_of({name: value}).startswith(f'setting {name}="{value}": {message}')
    for other in (True, 5, None):
        assert said_of({name: other}) == f"setting {name}={json.dumps(other)}: input should be a valid string"


@pytest.mark.parametrize("stage", ["prepare", "evaluate"])
def test_sparks_processing_needs_a_size_that_executors_fit_into(stage: str) -> None:
    name = f"sagemaker_spark.{stage}.instance_type"
    assert said_of({name: "ml.m5.large"}).startswith(f'setting {name}="ml.m5.large": is not in stacks/node_sizes.csv')


@pytest.mark.parametrize(
    ("vcpus", "fit", "sizes", "not_fit"),
    [
        (1, (2, 8), "2 to 8", (1, 9)),
        (2, (4, 16), "4 to 16", (3, 17)),
        (4, (8, 30), "8 to 30", (7, 31)),
        (8, (16, 60), "16 to 60 by 4", (15, 18, 62, 64)),
        (16, (32, 120), "32 to 120 by 8", (31, 36, 124, 128)),
        (32, (60, 120, 244), "60, 120, 244", (59, 61, 64, 128, 256)),
    ],
)
def test_a_worker_is_one_that_emr_serverless_has(
    vcpus: int, fit: tuple[int, ...], sizes: str, not_fit: tuple[int, ...]
) -> None:
    context = {
        "emr_serverless.vcpus": vcpus,
        "emr_serverless.maximum_vcpus": 100,
        "emr_serverless.maximum_memory_gb": 1000,
    }
    for memory in fit:
        assert Settings.from_context({**context, "emr_serverless.memory_gb": memory}).emr_serverless.memory_gb == memory
    for memory in not_fit:
        assert (
            said_of({**context, "emr_serverless.memory_gb": memory})
            == f"setting emr_serverless: memory_gb={memory}: a worker with vcpus={vcpus} has {sizes}"
        )


@pytest.mark.parametrize("vcpus", [3, 5, 12, 24, 64])
def test_a_worker_has_as_many_vcpus_as_emr_serverless_offers(vcpus: int) -> None:
    said = said_of({"emr_serverless.vcpus": vcpus})
    assert said == f"setting emr_serverless: vcpus={vcpus}: a worker has 1, 2, 4, 8, 16, 32"


@pytest.mark.parametrize(
    ("context", "message"),
    [
        ({"maximum_vcpus": 7}, "maximum_vcpus=7: 2 workers (the driver is one) of 4 take 8"),
        ({"maximum_memory_gb": 31}, "maximum_memory_gb=31: 2 workers (the driver is one) of 16 take 32"),
        ({"executors": 4}, "maximum_vcpus=16: 5 workers (the driver is one) of 4 take 20"),
        ({"memory_gb": 30, "executors": 2}, "maximum_memory_gb=64: 3 workers (the driver is one) of 30 take 90"),
    ],
)
def test_driver_and_executors_fit_into_the_application(context: dict[str, object], message: str) -> None:
    assert said_of({f"emr_serverless.{name}": value for name, value in context.items()}) == (
        f"setting emr_serverless: {message}"
    )


def test_a_stage_is_as_long_as_a_job_run_of_emr_serverless_must_be() -> None:
    assert Settings.from_context({"stage_minutes": 5}).stage_minutes == 5
    for sides in ("emr-serverless", "all"):
        assert Settings.from_context({"sides": sides, "stage_minutes": 10}).stage_minutes == 10
        assert said_of({"sides": sides, "stage_minutes": 9}).startswith(
            "stage_minutes=9: must be 10 or more where EMR Serverless is a side"
        )


@given(
    st.dictionaries(
        st.sampled_from(setting_names()), st.one_of(st.text(max_size=20), st.integers(), st.none()), max_size=3
    )
)
def test_any_value_is_accepted_or_named(context: dict[str, object]) -> None:
    try:
        settings = Settings.from_context(context)
    except InputError as error:
        assert any(key in str(error) or key.rsplit(".", 1)[0] in str(error) for key in context)
    else:
        # What was accepted is a fixed point: giving the values back changes nothing.
        assert Settings.from_context(settings.flat()) == settings
