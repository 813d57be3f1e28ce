import { mkdirSync, statSync, writeFileSync } from 'node:fs';
import { chmodSync } from 'node:fs';
import { dirname, isAbsolute, join, normalize } from 'node:path';
import type { core } from '@flotilla/api';
import { errorCode } from '@flotilla/base';
import { type MountMapping, writeAtomic } from '@flotilla/sandbox';
import type { ConfigLookup } from '../env/build.js';
import { expand } from '../env/expand.js';
import type { FieldContext } from '../env/fields.js';
import { payloadOf } from './payloads.js';

export interface VolumeContext extends FieldContext, ConfigLookup {
  podDir: string;
  /** Below it, directories of persistent volumes are made as needed. */
  volumesDir: string;
  claim(namespace: string, name: string): core.PersistentVolumeClaim | undefined;
  persistentVolume(name: string): core.PersistentVolume | undefined;
  now: number;
}

export interface VolumeProblem {
  /** For the FailedMount event. */
  problem: string;
}

/** Makes one volume of the pod and says where it is. Safe to repeat: content from the API is brought up to date. */
export function setUpVolume(volume: core.Volume, context: VolumeContext): { dir: string } | VolumeProblem {
  const own = join(context.podDir, 'volumes', volume.name);
  const payload = payloadOf(volume, context);
  if (payload) {
    if ('problem' in payload) return failed(volume, payload.problem);
    try {
      writeAtomic(own, payload, context.now);
    } catch (error) {
      return failed(volume, String(error));
    }
    return { dir: own };
  }
  if (volume.emptyDir) {
    mkdirSync(own, { recursive: true });
    // Whoever the container runs as may write here; the mode of mkdir is subject to the umask.
    chmodSync(own, 0o777);
    return { dir: own };
  }
  if (volume.hostPath) return hostPath(volume, volume.hostPath);
  if (volume.persistentVolumeClaim) return claimed(volume, volume.persistentVolumeClaim.claimName, context);
  const kind = Object.keys(volume).find((key) => key !== 'name') ?? 'emptyDir';
  if (kind === 'emptyDir') return setUpVolume({ name: volume.name, emptyDir: {} }, context);
  return failed(volume, `volumes of type ${kind} are not supported`);
}

function failed(volume: { name: string }, problem: string): VolumeProblem {
  return { problem: `MountVolume.SetUp failed for volume "${volume.name}" : ${problem}` };
}

type HostPathCheck = { creates?: 'dir' | 'file'; is?: (stat: ReturnType<typeof statSync>) => boolean; noun: string };

const hostPathChecks: Record<string, HostPathCheck> = {
  '': { noun: 'path' },
  DirectoryOrCreate: { creates: 'dir', is: (s) => s!.isDirectory(), noun: 'a directory' },
  Directory: { is: (s) => s!.isDirectory(), noun: 'a directory' },
  FileOrCreate: { creates: 'file', is: (s) => s!.isFile(), noun: 'a file' },
  File: { is: (s) => s!.isFile(), noun: 'a file' },
  Socket: { is: (s) => s!.isSocket(), noun: 'a socket' },
  CharDevice: { is: (s) => s!.isCharacterDevice(), noun: 'a character device' },
  BlockDevice: { is: (s) => s!.isBlockDevice(), noun: 'a block device' },
};

function hostPath(volume: core.Volume, source: core.HostPathVolumeSource): { dir: string } | VolumeProblem {
  const check = hostPathChecks[source.type ?? ''];
  if (!check) return failed(volume, `hostPath type check failed: unknown type ${source.type}`);
  try {
    let stat = statSync(source.path, { throwIfNoEntry: false });
    if (!stat && check.creates === 'dir') mkdirSync(source.path, { recursive: true, mode: 0o755 });
    if (!stat && check.creates === 'file') writeFileSync(source.path, '', { flag: 'wx', mode: 0o644 });
    stat ??= statSync(source.path, { throwIfNoEntry: false });
    if (check.is && !(stat && check.is(stat))) {
      return failed(volume, `hostPath type check failed: ${source.path} is not ${check.noun}`);
    }
    return { dir: source.path };
  } catch (error) {
    return failed(volume, `hostPath ${source.path}: ${errorCode(error) ?? String(error)}`);
  }
}

function claimed(volume: core.Volume, claimName: string, context: VolumeContext): { dir: string } | VolumeProblem {
  const namespace = context.pod.metadata.namespace ?? '';
  const claim = context.claim(namespace, claimName);
  if (!claim) return failed(volume, `persistentvolumeclaim "${claimName}" not found`);
  const name = claim.spec.volumeName;
  if (!name || claim.status?.phase !== 'Bound') return failed(volume, `PVC ${namespace}/${claimName} is not bound`);
  const pv = context.persistentVolume(name);
  if (!pv) return failed(volume, `persistentvolume "${name}" not found`);
  const dir = pv.spec.hostPath?.path ?? pv.spec.local?.path;
  if (dir === undefined) return failed(volume, `persistent volumes of this type are not supported (${name})`);
  if (pv.spec.hostPath)
    return hostPath(volume, ours(dir, context) ? { path: dir, type: 'DirectoryOrCreate' } : pv.spec.hostPath);
  return hostPath(volume, { path: dir, type: ours(dir, context) ? 'DirectoryOrCreate' : 'Directory' });
}

function ours(dir: string, { volumesDir }: VolumeContext): boolean {
  return dir.startsWith(`${volumesDir}/`);
}

/** Where each mount of the container really is. `dirs`: the pod's volumes as `setUpVolume` made them. */
export function mountsOf(
  container: core.Container,
  dirs: ReadonlyMap<string, string>,
  env: Readonly<Record<string, string>>,
): MountMapping[] | VolumeProblem {
  const mounts: MountMapping[] = [];
  for (const mount of container.volumeMounts ?? []) {
    const dir = dirs.get(mount.name);
    if (dir === undefined) return { problem: `volume "${mount.name}" of container "${container.name}" is missing` };
    const sub = mount.subPathExpr ? expand(mount.subPathExpr, (name) => env[name]) : (mount.subPath ?? '');
    const real = subPath(dir, sub);
    if (real === undefined) return { problem: `subPath "${sub}" must stay within the volume` };
    mounts.push({ path: mount.mountPath, dir: real });
  }
  return mounts;
}

/** A directory or file below the volume; made if absent, as upstream does. Undefined if it would lead outside. */
function subPath(dir: string, sub: string): string | undefined {
  if (sub === '') return dir;
  const clean = normalize(sub);
  if (isAbsolute(clean) || clean.split('/').includes('..')) return undefined;
  const real = join(dir, clean);
  if (!statSync(real, { throwIfNoEntry: false })) {
    mkdirSync(dirname(real), { recursive: true });
    mkdirSync(real, { recursive: true });
  }
  return real;
}
