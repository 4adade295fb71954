"""The SageMaker images, by region.

Source: ``sagemaker.core.image_uris`` of the ``sagemaker`` package 3.27.0 (2026-11-22), which a test compares with for
every region it knows. Nothing is looked up while synthesising.
"""

from collections.abc import Mapping

from aws_cdk import Aws, CfnMapping
from constructs import Construct

XGBOOST_IMAGE = "sagemaker-xgboost:3.2-0"

# The account that holds the XGBoost image in each region.
XGBOOST_ACCOUNTS = {
    "af-south-1": "510948584623",
    "ap-east-1": "651117190479",
    "ap-northeast-1": "354813040037",
    "ap-northeast-2": "366743142698",
    "ap-northeast-3": "867004704886",
    "ap-south-1": "720646828776",
    "ap-south-2": "628508329040",
    "ap-southeast-1": "121021644041",
    "ap-southeast-2": "783357654285",
    "ap-southeast-3": "951798379941",
    "ap-southeast-4": "106583098589",
    "ca-central-1": "341280168497",
    "ca-west-1": "190319476487",
    "cn-north-1": "450853457545",
    "cn-northwest-1": "451049120500",
    "eu-central-1": "492215442770",
    "eu-central-2": "680994064768",
    "eu-north-1": "662702820516",
    "eu-south-1": "978288397137",
    "eu-south-2": "104374241257",
    "eu-west-1": "141502667606",
    "eu-west-2": "764974769150",
    "eu-west-3": "659782779980",
    "il-central-1": "898809789911",
    "me-central-1": "272398656194",
    "me-south-1": "801668240914",
    "sa-east-1": "737474898029",
    "us-east-1": "683313688378",
    "us-east-2": "257758044811",
    "us-gov-east-1": "237065988967",
    "us-gov-west-1": "414596584902",
    "us-iso-east-1": "833128469047",
    "us-isob-east-1": "281123927165",
    "us-isof-east-1": "108575199400",
    "us-isof-south-1": "124985052026",
    "us-west-1": "746614075791",
    "us-west-2": "246618743249",
}


SPARK_IMAGE = "sagemaker-spark-processing:3.5-cpu-py312-v1.3"
"""Released on 2026-04-22 (github.com/aws/sagemaker-spark-container at 7d90eeb1, read 2026-11-28)."""

# The account that holds the Spark image in each region.
SPARK_ACCOUNTS = {
    "af-south-1": "309385258863",
    "ap-east-1": "732049463269",
    "ap-east-2": "533267296287",
    "ap-northeast-1": "411782140378",
    "ap-northeast-2": "860869212795",
    "ap-northeast-3": "102471314380",
    "ap-south-1": "105495057255",
    "ap-south-2": "873151114052",
    "ap-southeast-1": "759080221371",
    "ap-southeast-2": "440695851116",
    "ap-southeast-3": "800295151634",
    "ap-southeast-4": "819679513684",
    "ap-southeast-5": "841784149062",
    "ap-southeast-6": "278240940207",
    "ap-southeast-7": "471112967968",
    "ca-central-1": "446299261295",
    "ca-west-1": "000907499111",
    "cn-north-1": "671472414489",
    "cn-northwest-1": "844356804704",
    "eu-central-1": "906073651304",
    "eu-central-2": "142351485170",
    "eu-isoe-west-1": "010264522435",
    "eu-north-1": "330188676905",
    "eu-south-1": "753923664805",
    "eu-south-2": "833944533722",
    "eu-west-1": "571004829621",
    "eu-west-2": "836651553127",
    "eu-west-3": "136845547031",
    "eusc-de-east-1": "713710892325",
    "il-central-1": "408426139102",
    "me-central-1": "395420993607",
    "me-south-1": "750251592176",
    "mx-central-1": "211125459255",
    "sa-east-1": "737130764395",
    "us-east-1": "173754725891",
    "us-east-2": "314815235551",
    "us-gov-east-1": "260923028637",
    "us-gov-west-1": "271483468897",
    "us-west-1": "667973535471",
    "us-west-2": "153931337802",
}


def xgboost_image(scope: Construct) -> str:
    """The image's URI in the region that the stack is deployed to, through a mapping in the template."""
    return _image(scope, "XgboostImage", XGBOOST_IMAGE, XGBOOST_ACCOUNTS)


def spark_image(scope: Construct) -> str:
    """The same of the Spark image."""
    return _image(scope, "SparkImage", SPARK_IMAGE, SPARK_ACCOUNTS)


def _image(scope: Construct, construct_id: str, image: str, accounts: Mapping[str, str]) -> str:
    mapping = CfnMapping(
        scope, construct_id, mapping={region: {"account": account} for region, account in accounts.items()}
    )
    account = mapping.find_in_map(Aws.REGION, "account")
    return f"{account}.dkr.ecr.{Aws.REGION}.{Aws.URL_SUFFIX}/{image}"
