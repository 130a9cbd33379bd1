"""Everything an agent may do at Vercel, in one list. Each subject has its module."""

from adapters.vercel.deploying import deploy
from adapters.vercel.deployments import (
    cancel_deployment,
    create_deployment,
    get_deployment,
    list_deployments,
    promote_deployment,
    rollback,
    upload_file,
)
from adapters.vercel.domains import (
    add_project_domain,
    get_domain_config,
    list_project_domains,
    remove_project_domain,
    verify_project_domain,
)
from adapters.vercel.environment import delete_env_var, list_env_vars, set_env_var, update_env_var
from adapters.vercel.logs import get_build_logs, get_runtime_logs, view_logs
from adapters.vercel.projects import (
    create_project,
    delete_project,
    get_account,
    get_project,
    list_projects,
    update_project,
)

__all__ = [
    "add_project_domain",
    "cancel_deployment",
    "create_deployment",
    "create_project",
    "delete_env_var",
    "delete_project",
    "deploy",
    "get_account",
    "get_build_logs",
    "get_deployment",
    "get_domain_config",
    "get_project",
    "get_runtime_logs",
    "list_deployments",
    "list_env_vars",
    "list_project_domains",
    "list_projects",
    "promote_deployment",
    "remove_project_domain",
    "rollback",
    "set_env_var",
    "update_env_var",
    "update_project",
    "upload_file",
    "verify_project_domain",
    "view_logs",
]
