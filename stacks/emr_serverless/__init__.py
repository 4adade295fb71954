"""The EMR Serverless side."""

SIDE = "emr-serverless"
