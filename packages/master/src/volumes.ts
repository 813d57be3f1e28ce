import { mkdir, rm } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { NamedError } from '@flotilla/base';
import type { VolumeDirectories } from '@flotilla/controllers';

class InvalidVolumeName extends NamedError {
  constructor(name: string) {
    super('InvalidVolumeName', `${JSON.stringify(name)} cannot be a volume's directory`);
  }
}

/** Volumes as directories below `root`, which all nodes of the cluster share. */
export function volumeDirectories(root: string): VolumeDirectories {
  const pathOf = (volume: string): string => {
    if (volume === '' || volume !== basename(volume) || volume.startsWith('.')) throw new InvalidVolumeName(volume);
    return join(root, volume);
  };
  return {
    async create(volume) {
      const path = pathOf(volume);
      // Whatever user a container runs as must be able to write (local-path-provisioner does the same).
      await mkdir(path, { recursive: true, mode: 0o777 });
      return path;
    },
    remove: (volume) => rm(pathOf(volume), { recursive: true, force: true }),
  };
}
