"""Names the fixtures every test may ask for. They live in tests/support, one module for each kind."""

pytest_plugins = ["tests.support.servers", "tests.support.emulate", "tests.support.gateways"]
