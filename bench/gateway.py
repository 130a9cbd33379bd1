"""The server under test: the real wiring in one process, as `mandate serve` runs it.

    python -m bench.gateway PORT FILE

FILE holds, as JSON, what differs from a production start: the run's database and Redis, and the simulated service in
place of GitHub. The keys are development's, so that nobody needs an identity provider to measure.
"""

import json
import sys
from dataclasses import asdict, dataclass
from pathlib import Path

import uvicorn

from domain.secrets import Secret
from gateway import collector, logs
from gateway.app import application
from gateway.serving import SERVER
from gateway.settings import ConfigFile, IntegrationSettings, Settings
from gateway.wiring import Plan
from vault.development import DevelopmentIssuer
from vault.master_keys import development_master_keys


@dataclass(frozen=True)
class Trial:
    """What a gateway of one run is started with."""

    database_url: str
    redis_url: str
    folder: str
    service: str  # host:port of the simulated service

    def write(self) -> str:
        path = Path(self.folder) / "trial.json"
        path.write_text(json.dumps(asdict(self)))
        return str(path)


def plan(trial: Trial, public_url: str) -> Plan:
    folder = Path(trial.folder)
    integrations = {"github": IntegrationSettings.model_validate({"base_url": f"http://{trial.service}"})}
    settings = Settings.model_validate(
        {
            "database_url": Secret(trial.database_url),
            "redis_url": Secret(trial.redis_url),
            "data_dir": folder,
            "file": ConfigFile.model_validate({"integrations": integrations}),
        }
    )
    return Plan(
        settings=settings,
        database_url=trial.database_url,
        public_url=public_url,
        keyring=development_master_keys(folder / "master.key"),
        development_issuer=DevelopmentIssuer(folder / "development.key").trusted(),
        sandbox_socket=trial.service,
    )


def main(port: int, file: str) -> None:
    trial = Trial(**json.loads(Path(file).read_text()))
    logs.configure(is_development=False)
    collector.calm()
    uvicorn.run(
        application(plan(trial, f"http://127.0.0.1:{port}")),
        host="127.0.0.1",
        port=port,
        **SERVER,
    )


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2])
