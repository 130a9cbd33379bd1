"""A keyring that counts."""

from vault.ports import MasterKeyring


class CountingKeyring:
    """Passes everything on, and counts what it unwraps."""

    def __init__(self, keyring: MasterKeyring) -> None:
        self._keyring = keyring
        self.unwrapped = 0

    @property
    def current(self) -> str:
        return self._keyring.current

    async def wrap(self, data_key: bytes, bound_to: bytes) -> bytes:
        return await self._keyring.wrap(data_key, bound_to)

    async def unwrap(self, master_key: str, wrapped: bytes, bound_to: bytes) -> bytes:
        self.unwrapped += 1
        return await self._keyring.unwrap(master_key, wrapped, bound_to)
