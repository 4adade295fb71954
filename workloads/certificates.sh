#!/bin/bash
# Makes the certificate by which the nodes of an EMR cluster talk to each other, for emr.certificates=pem: self-signed,
# for any name in the VPC's own domain. Names and content as ManagementGuide/emr-encryption-enable.html has them.
# usage: certificates.sh s3://BUCKET/certificates/HASH/
set -euo pipefail
target=$1
certificates=$(mktemp -d)
trap 'rm -rf "$certificates"' EXIT
# A cluster's nodes come and go: what one has fetched is what the next must fetch, so a certificate is made once.
aws s3 cp --only-show-errors --recursive "$target" "$certificates"
[ ! -f "$certificates/emr.zip" ] || exit 0
command -v openssl > /dev/null || { echo "error: openssl is not installed here: it makes the certificate (emr.certificates=pem)" >&2; exit 2; }
domain=${AWS_REGION:-us-east-1}.compute.internal
[ "$domain" != us-east-1.compute.internal ] || domain=ec2.internal
cd "$certificates"
openssl req -x509 -newkey rsa:2048 -sha256 -nodes -days 3650 -subj "/CN=*.$domain" -addext "subjectAltName=DNS:*.$domain" \
  -keyout privateKey.pem -out certificateChain.pem 2> /dev/null
cp certificateChain.pem trustedCertificates.pem
python3 -m zipfile --create emr.zip privateKey.pem certificateChain.pem trustedCertificates.pem
rm ./*.pem
aws s3 cp --only-show-errors --recursive "$certificates" "$target"
