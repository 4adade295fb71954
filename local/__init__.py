"""The laptop run: carries out, without an account, the very requests that the state machines send to the services."""

import stacks as stacks  # puts the workloads on the path, as they are on the services
