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
        ({"emr.release": "emr-6.15.0"}, "setting emr.release="),
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
