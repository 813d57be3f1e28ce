import { type FSWatcher, mkdirSync, watch } from 'node:fs';
import { join } from 'node:path';
import type { core } from '@flotilla/api';
import { backoffDelay, NamedError, sleep } from '@flotilla/base';
import type { PodNetwork } from '@flotilla/sandbox';
import { setUpVolume } from '../volumes/volumes.js';
import { dnsConfig } from './dns-config.js';
import { hostnameOf } from './launch.js';
import type { PodHost, Setup } from './node.js';

/** The pod ended before it was ever set up. */
export class SetupAbandoned extends NamedError {}

/** Gives a pod its address and volumes, as often as it takes. */
export class PodSetup {
  readonly #host: Omit<PodHost, 'prepared'>;
  readonly #onPort: () => void;
  #setup: Promise<Setup> | undefined;
  #network: PodNetwork | undefined;
  #watcher: FSWatcher | undefined;
  #over = false;

  /** `onPort`: a program of the pod has opened a port. */
  constructor(host: Omit<PodHost, 'prepared'>, onPort: () => void) {
    this.#host = host;
    this.#onPort = onPort;
  }

  /** Resolves when all is there; rejects only with SetupAbandoned. */
  prepared(): Promise<Setup> {
    this.#setup ??= this.#prepare();
    this.#setup.catch(() => (this.#setup = undefined));
    return this.#setup;
  }

  /** Takes the pod's address, the one it had before if it had one. Undefined if none is left. */
  attach(): PodNetwork | undefined {
    if (this.#network) return this.#network;
    const { node, record, dir } = this.#host;
    const pod = this.#host.pod();
    mkdirSync(dir, { recursive: true, mode: 0o700 });
    this.#network = node.network.attach({
      podDir: dir,
      hostNetwork: record.hostNetwork,
      ...(record.podIP === undefined ? {} : { podIP: record.podIP }),
      dns: dnsConfig(pod.spec, record.namespace, node.cluster.domain),
      hostname: hostnameOf(pod),
    });
    if (this.#network) record.podIP = this.#network.podIP;
    node.podsChanged?.();
    return this.#network;
  }

  /** Brings volumes with content from the API up to date; an object that went away leaves its last content. */
  refresh(): void {
    for (const volume of this.#host.pod().spec.volumes ?? []) {
      if (volume.configMap || volume.secret || volume.projected || volume.downwardAPI) this.#volume(volume);
    }
  }

  /** Gives the address back. */
  detach(): void {
    if (this.#network) this.#host.node.network.detach(this.#network);
    this.#network = undefined;
    this.#host.node.podsChanged?.();
    this.stop();
  }

  stop(): void {
    this.#over = true;
    this.#watcher?.close();
  }

  async #prepare(): Promise<Setup> {
    const { node, record } = this.#host;
    for (let failures = 1; ; failures++) {
      const network = this.attach();
      const ready = node.config.ready(record.namespace, this.#host.pod().spec);
      if (ready) await ready;
      const made = network ? this.#mount(network) : noAddress;
      if ('network' in made) {
        record.prepared = true;
        delete record.obstacle;
        this.#watchPorts(made.network);
        this.#host.changed();
        return made;
      }
      if (this.#over || record.termination) throw new SetupAbandoned('SetupAbandoned', 'the pod has ended');
      if (record.obstacle !== made.problem || failures % 10 === 0) {
        node.events.event(this.#host.pod(), 'Warning', made.reason, made.problem);
      }
      record.obstacle = made.problem;
      await sleep(node.clock, backoffDelay({ base: 100, max: 2000 }, failures));
    }
  }

  #mount(network: PodNetwork): Setup | { reason: string; problem: string } {
    const volumes = new Map<string, string>();
    for (const volume of this.#host.pod().spec.volumes ?? []) {
      const made = this.#volume(volume);
      if ('problem' in made) return { reason: 'FailedMount', problem: made.problem };
      volumes.set(volume.name, made.dir);
    }
    return { network, volumes };
  }

  #volume(volume: core.Volume): ReturnType<typeof setUpVolume> {
    const { node, record, dir } = this.#host;
    return setUpVolume(volume, {
      pod: this.#host.pod(),
      podIP: record.podIP ?? '',
      hostIP: node.nodeIP,
      allocatable: node.allocatable,
      podDir: dir,
      volumesDir: node.volumesDir,
      now: node.clock.now(),
      configMap: (namespace, name) => node.config.configMap(namespace, name),
      secret: (namespace, name) => node.config.secret(namespace, name),
      claim: (namespace, name) => node.config.claim(namespace, name),
      persistentVolume: (name) => node.config.persistentVolume(name),
    });
  }

  /** A port that opens is worth a probe at once. */
  #watchPorts({ captureDir }: PodNetwork): void {
    try {
      this.#watcher = watch(join(captureDir, 'listening'), () => this.#onPort());
      this.#watcher.on('error', () => undefined);
    } catch {
      // Out of inotify watches: probes go by the clock.
    }
  }
}

const noAddress = {
  reason: 'FailedCreatePodSandBox',
  problem: 'Failed to create pod sandbox: no pod address left on this node',
};
