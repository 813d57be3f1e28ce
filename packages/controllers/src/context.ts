import type { KubeObject, ResourceInfo } from '@flotilla/api';
import type { Clock, Logger, Random } from '@flotilla/base';
import type { EventRecorder, NodeLiveness, ResourceClient, Transport } from '@flotilla/client';
import type { NetworkConfig, Profile } from '@flotilla/host';
import type { Caches } from './caches.js';

/** The part of `Client` that controllers use. */
export interface ApiClient {
  resource<T extends KubeObject>(info: ResourceInfo<T>): ResourceClient<T>;
  readonly transport: Pick<Transport, 'request'>;
}

/** Where dynamically provisioned volumes live: the port behind the `flotilla.dev/local-path` provisioner. */
export interface VolumeDirectories {
  /** Creates the volume's directory if it is absent, and gives back its absolute path. */
  create(volume: string): Promise<string>;
  /** Removes the directory and what is in it; an absent one is fine. */
  remove(volume: string): Promise<void>;
}

/** How starved of CPU the machine is. */
export interface CpuPressure {
  /** Share of the last ten seconds, 0 to 1, in which some task waited for a CPU; undefined if the machine cannot tell. */
  read(): number | undefined;
}

export interface ControllersConfig {
  profile: Profile;
  network: NetworkConfig;
  /** The cluster CA's certificate, PEM: the content of every namespace's kube-root-ca.crt. */
  clusterCA: string;
  /** The address on which LoadBalancer services are reached, e.g. `127.0.0.1`. */
  hostAddress: string;
}

export interface ControllerContext {
  readonly client: ApiClient;
  readonly caches: Caches;
  readonly liveness: NodeLiveness;
  readonly volumes: VolumeDirectories;
  readonly cpuPressure: CpuPressure;
  readonly logger: Logger;
  readonly clock: Clock;
  readonly random: Random;
  readonly config: ControllersConfig;
  /** Events from `component`, e.g. `deployment-controller`. */
  recorder(component: string): EventRecorder;
}

export interface RunningController {
  stop(): Promise<void>;
}
