"""What was synthesised: the templates, resolved to local values, and the security rules' report on them."""
