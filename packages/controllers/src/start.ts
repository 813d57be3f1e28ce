import type { KubeObject, ResourceInfo } from '@flotilla/api';
import { type Clock, describeError, type Logger, type Random } from '@flotilla/base';
import { type Client, type EventRecorder, eventRecorder, Informer, type NodeLiveness } from '@flotilla/client';
import { createCaches } from './caches.js';
import type {
  ControllerContext,
  ControllersConfig,
  CpuPressure,
  RunningController,
  VolumeDirectories,
} from './context.js';
import { deploymentController } from './deployment/controller.js';
import { endpointSliceController, endpointsController } from './endpoints/controller.js';
import { garbageCollector } from './garbage/controller.js';
import { namespaceController } from './namespaces/deletion.js';
import { rootCAController, serviceAccountController } from './namespaces/furnishing.js';
import { taintEvictionController } from './nodes/eviction.js';
import { nodeLifecycleController } from './nodes/lifecycle.js';
import { NodeMonitor } from './nodes/monitor.js';
import { podGarbageController } from './nodes/podgc.js';
import { procCpuPressure } from './nodes/pressure.js';
import { nodeTiming } from './nodes/timing.js';
import { replicaSetController } from './replicaset/controller.js';
import { loadBalancerController } from './services/loadbalancer.js';
import { volumeController } from './volumes/binder.js';
import { claimProtectionController, volumeProtectionController } from './volumes/protection.js';

/** All controllers. They share one cache a kind and know nothing of each other. */
export function runControllers(ctx: ControllerContext): RunningController[] {
  const monitor = new NodeMonitor(nodeTiming(ctx.config.profile));
  return [
    nodeLifecycleController(ctx, monitor),
    taintEvictionController(ctx, monitor),
    podGarbageController(ctx),
    serviceAccountController(ctx),
    rootCAController(ctx),
    deploymentController(ctx),
    replicaSetController(ctx),
    endpointSliceController(ctx),
    endpointsController(ctx),
    loadBalancerController(ctx),
    volumeController(ctx),
    claimProtectionController(ctx),
    volumeProtectionController(ctx),
    namespaceController(ctx),
    garbageCollector(ctx),
  ];
}

export interface ControllersOptions {
  client: Client;
  liveness: NodeLiveness;
  volumes: VolumeDirectories;
  /** The machine's own figure if absent. */
  cpuPressure?: CpuPressure;
  logger: Logger;
  clock: Clock;
  random: Random;
  config: ControllersConfig;
}

export interface Controllers {
  /** Resolves when the caches are filled and the controllers are at work. */
  readonly started: Promise<void>;
  stop(): Promise<void>;
}

/** Starts all controllers. They wait by themselves for an API server that is not there yet. */
export function startControllers(options: ControllersOptions): Controllers {
  const { client, logger, clock, random } = options;
  const informers: { start(): void; whenSynced(): Promise<void>; stop(): Promise<void> }[] = [];
  const open = <T extends KubeObject>(info: ResourceInfo<T>): Informer<T> => {
    const informer = new Informer(client, info, { logger, clock, random });
    informers.push(informer);
    return informer;
  };
  const recorders = new Map<string, EventRecorder>();
  const recorder = (component: string): EventRecorder => {
    const present = recorders.get(component) ?? eventRecorder(client, { component, clock, random, logger });
    recorders.set(component, present);
    return present;
  };
  const cpuPressure = options.cpuPressure ?? procCpuPressure();
  const ctx: ControllerContext = { ...options, cpuPressure, caches: createCaches(open), recorder };

  let stopped = false;
  let controllers: RunningController[] = [];
  for (const informer of informers) informer.start();
  const started = Promise.all(informers.map((informer) => informer.whenSynced())).then(() => {
    if (stopped) return;
    controllers = runControllers(ctx);
    logger.info('controllers are at work', { count: controllers.length });
  });
  started.catch((error: unknown) => {
    if (!stopped) logger.error('controllers did not start', { error: describeError(error) });
  });
  return {
    started,
    async stop() {
      stopped = true;
      await Promise.all(controllers.map((controller) => controller.stop()));
      await Promise.all([...recorders.values()].map((r) => r.flush()));
      await Promise.all(informers.map((informer) => informer.stop()));
    },
  };
}
