"""Import of conversations about videos or pictures of vases, in the form in which trainers of chat models read them."""

from vaserl.curation.chat.importing import ImportedChats, import_chats

__all__ = ["ImportedChats", "import_chats"]
