import { existsSync, mkdirSync, statSync, writeFileSync } from 'node:fs';
import { basename, delimiter, dirname, join, resolve } from 'node:path';
import type { core } from '@flotilla/api';
import { processTags } from '@flotilla/host';
import {
  commandLine,
  expandWord,
  imageEnv,
  type MountMapping,
  mapPath,
  mapText,
  orderMappings,
  type PodNetwork,
  type ResolvedImage,
  staysInPlace,
} from '@flotilla/sandbox';
import { buildEnv } from '../env/build.js';
import { expand } from '../env/expand.js';
import { serviceEnv } from '../env/services.js';
import { mountsOf } from '../volumes/volumes.js';
import { type NodeContext, podUidTag } from './node.js';
import { defaultTerminationLog, terminationLog } from './termination-message.js';

/** How a container's program is run: kept beside it, for commands that join it later. */
export interface Launch {
  command: string[];
  env: Record<string, string>;
  cwd: string;
  mounts: MountMapping[];
}

export interface LaunchContext {
  node: NodeContext;
  pod: core.Pod;
  network: PodNetwork;
  /** The pod's volumes. */
  volumes: ReadonlyMap<string, string>;
  /** The container's own directory, the same for all its runs, and that of this run. */
  containerDir: string;
  runDir: string;
}

/** Everything that can be said before the program starts; `problem` is a CreateContainerConfigError. */
export function prepareLaunch(
  container: core.Container,
  image: ResolvedImage,
  context: LaunchContext,
): Launch | { problem: string } {
  const { node, pod, network } = context;
  const namespace = pod.metadata.namespace ?? '';
  const built = buildEnv(container, {
    configMap: (ns, name) => node.config.configMap(ns, name),
    secret: (ns, name) => node.config.secret(ns, name),
    pod,
    podIP: network.podIP,
    hostIP: node.nodeIP,
    allocatable: node.allocatable,
    services: serviceEnv(node.servicesFor(namespace, pod.spec.enableServiceLinks !== false)),
    image: imageEnv(image, process.execPath),
  });
  if ('problem' in built) return built;
  const own = built.env;
  const mounts = mountsOf(container, context.volumes, own);
  if ('problem' in mounts) return mounts;
  const log = { path: container.terminationMessagePath || defaultTerminationLog, dir: terminationLog(context.runDir) };
  const mappings = orderMappings([...mounts, log, ...inPlace(image, mounts, node)]);
  const words = (list: readonly string[] | undefined): string[] =>
    (list ?? []).map((word) =>
      mapText(
        expand(word, (name) => own[name]),
        mappings,
      ),
    );
  const command = commandLine(
    image,
    { command: words(container.command), args: words(container.args) },
    process.execPath,
  );
  const isNode = command[0] === process.execPath || basename(command[0] ?? '') === 'node';
  const cwd = workingDir(container, image, mappings, context);
  return {
    command,
    cwd,
    mounts: mappings,
    env: {
      ...baseEnv(pod),
      ...(isNode
        ? own
        : Object.fromEntries(Object.entries(own).map(([key, value]) => [key, mapText(value, mappings)]))),
      ...(isNode || image.shim === false ? {} : proxyEnv(network)),
      ...network.env,
      ...hostsEnv(pod.spec.hostAliases),
      ...tags(container, image, context),
      ...(image.shim === false ? {} : shimEnv(node.shim, own['NODE_OPTIONS'], mappings)),
    },
  };
}

/** The machine's directories that the container's own start needs, where a volume would hide them. */
function inPlace(image: ResolvedImage, mounts: readonly MountMapping[], node: NodeContext): MountMapping[] {
  const installation = resolve(node.shim, '../../../../..');
  return [node.cluster.dir, installation, image.dir]
    .filter((dir) => mounts.some(({ path }) => dir.startsWith(`${path}/`)))
    .map(staysInPlace);
}

function baseEnv(pod: core.Pod): Record<string, string> {
  const path = [dirname(process.execPath), ...(process.env['PATH'] ?? '/usr/local/bin:/usr/bin:/bin').split(delimiter)];
  return {
    PATH: [...new Set(path)].join(delimiter),
    HOME: process.env['HOME'] ?? '/',
    HOSTNAME: hostnameOf(pod),
  };
}

export function hostnameOf(pod: core.Pod): string {
  return pod.spec.hostname || (pod.metadata.name ?? '').slice(0, 63);
}

/** What /etc/hosts would say beyond the pod's own name. */
function hostsEnv(aliases: readonly core.HostAlias[] | undefined): Record<string, string> {
  if (!aliases?.length) return {};
  const names = aliases.flatMap(({ ip, hostnames = [] }) => hostnames.map((name) => [name.toLowerCase(), ip]));
  return { FLOTILLA_HOSTS: JSON.stringify(Object.fromEntries(names)) };
}

/** By these the processes of a pod are found again, whatever became of the agent. */
function tags(container: core.Container, image: ResolvedImage, { node, pod }: LaunchContext): Record<string, string> {
  return {
    [processTags.cluster]: node.cluster.dir,
    [processTags.role]: image.shim === false ? 'proxy' : 'container',
    [processTags.node]: node.name,
    [processTags.pod]: `${pod.metadata.namespace}/${pod.metadata.name}`,
    [processTags.container]: container.name,
    [podUidTag]: pod.metadata.uid ?? '',
  };
}

function shimEnv(shim: string, given: string | undefined, mounts: readonly MountMapping[]): Record<string, string> {
  // NODE_OPTIONS knows double quotes and backslashes only.
  const file = /[\s"\\]/.test(shim) ? `"${shim.replace(/["\\]/g, String.raw`\$&`)}"` : shim;
  return {
    NODE_OPTIONS: given ? `--require ${file} ${given}` : `--require ${file}`,
    FLOTILLA_MOUNTS: JSON.stringify(mounts),
  };
}

/** The proxy of a captured pod also serves programs that the shim cannot reach, as an HTTP proxy. */
function proxyEnv(network: PodNetwork): Record<string, string> {
  if (!existsSync(join(network.captureDir, 'rules.json'))) return {};
  const proxy = `http://${network.podIP}:15007`;
  const direct = 'localhost,127.0.0.1';
  return { HTTP_PROXY: proxy, http_proxy: proxy, NO_PROXY: direct, no_proxy: direct };
}

/**
 * Where the pod or image says, if that exists here; an image that the user registered is at home in its directory; all
 * others get an empty place of their own, which lasts as long as the pod.
 */
function workingDir(
  container: core.Container,
  image: ResolvedImage,
  mappings: readonly MountMapping[],
  { containerDir }: LaunchContext,
): string {
  const wanted = container.workingDir || (image.workingDir && expandWord(image.workingDir, image));
  const real = wanted ? mapPath(wanted, mappings) : undefined;
  if (real !== undefined && statSync(real, { throwIfNoEntry: false })?.isDirectory()) return real;
  if (image.id.startsWith('flotilla://local/')) return image.dir;
  const own = join(containerDir, 'cwd');
  mkdirSync(own, { recursive: true });
  return own;
}

/** Writes down how the program was run. It holds secrets. */
export function saveLaunch(runDir: string, launch: Launch): void {
  writeFileSync(join(runDir, 'launch.json'), JSON.stringify(launch), { mode: 0o600 });
}
