import type { core } from '@flotilla/api';
import type { BackoffOptions, Clock, Logger, Random } from '@flotilla/base';
import type { Client, EventRecorder } from '@flotilla/client';
import type { ImageSource, NetworkDriver, PodNetwork, ProcessDriver, StraySweeper } from '@flotilla/sandbox';
import type { ConfigLookup } from '../env/build.js';
import type { PodRecord } from './observed.js';

/** Tells which pod a process belongs to beyond doubt: names come again, UIDs do not. */
export const podUidTag = 'FLOTILLA_POD_UID';

/** Everything on the node that its pods share. */
export interface NodeContext {
  name: string;
  nodeIP: string;
  cluster: { dir: string; domain: string };
  /** Directories: of all pods, and of persistent volumes. */
  podsDir: string;
  volumesDir: string;
  /** The preload shim's file. */
  shim: string;
  allocatable: { cpuMilli: number; memoryBytes: number };
  backoff: { crash: BackoffOptions; image: BackoffOptions };
  clock: Clock;
  random: Random;
  logger: Logger;
  client: Client;
  events: EventRecorder;
  images: ImageSource;
  processes: ProcessDriver;
  network: NetworkDriver;
  strays: StraySweeper;
  config: ConfigLookup & {
    ready(namespace: string, spec: core.PodSpec): Promise<unknown> | undefined;
    claim(namespace: string, name: string): core.PersistentVolumeClaim | undefined;
    persistentVolume(name: string): core.PersistentVolume | undefined;
  };
  /** Services whose variables a pod of the namespace gets; `links`: not only the API server's. */
  servicesFor(namespace: string, links: boolean): core.Service[];
  /** Told that a pod has come, gone or got its address. */
  podsChanged?: () => void;
}

/** What a pod has once it is set up: its place on the network, and the directories of its volumes by name. */
export interface Setup {
  network: PodNetwork;
  volumes: ReadonlyMap<string, string>;
}

/** What a container needs of the pod it is in. */
export interface PodHost {
  readonly node: NodeContext;
  readonly dir: string;
  readonly record: PodRecord;
  /** As the API has it now. */
  pod(): core.Pod;
  /** Resolves when address and volumes are there. */
  prepared(): Promise<Setup>;
  /** A record was changed: save it, decide again, tell the API. */
  changed(): void;
  /** Save the record now. */
  save(): void;
}
