"""Settings by which data in the cloud gets lost: lifecycles, Terraform and CloudFormation."""
