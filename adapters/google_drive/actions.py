"""Everything an agent may do at Google Drive, in one list. Each subject has its module."""

from adapters.google_drive.reading import export_file, get_account, get_file_content, read_file
from adapters.google_drive.searching import get_file, list_files, search_files
from adapters.google_drive.sharing import list_permissions, share_file, share_file_with_everyone, unshare_file
from adapters.google_drive.writing import (
    copy_file,
    create_file,
    create_folder,
    delete_file,
    find_created_file,
    generate_ids,
    move_file,
    replace_file_content,
    trash_file,
    update_file,
)

__all__ = [
    "copy_file",
    "create_file",
    "create_folder",
    "delete_file",
    "export_file",
    "find_created_file",
    "generate_ids",
    "get_account",
    "get_file",
    "get_file_content",
    "list_files",
    "list_permissions",
    "move_file",
    "read_file",
    "replace_file_content",
    "search_files",
    "share_file",
    "share_file_with_everyone",
    "trash_file",
    "unshare_file",
    "update_file",
]
