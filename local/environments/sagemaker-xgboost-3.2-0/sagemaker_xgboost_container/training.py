"""What the toolkit's `train` command calls."""

from sagemaker_containers.beta import framework


def main() -> None:
    """Install the submit folder and run its program, as the image does in script mode."""
    env = framework.training_env()
    if env.user_entry_point is None:
        raise NotImplementedError("no sagemaker_program: only script mode runs on the laptop")
    framework.modules.run_module(
        env.module_dir, env.to_cmd_args(), env.to_env_vars(), env.module_name, capture_error=False
    )
