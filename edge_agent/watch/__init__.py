"""Notices new files in a stream's folder, waits until each is complete, and hands them over in order."""

from edge_agent.watch.folder import FolderWatcher, WatchState
from edge_agent.watch.listing import FoundFile, frame_files, list_files
from edge_agent.watch.settings import WatchSettings

__all__ = ["FolderWatcher", "FoundFile", "WatchSettings", "WatchState", "frame_files", "list_files"]
