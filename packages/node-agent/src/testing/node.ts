import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { core } from '@flotilla/api';
import { silentLogger } from '@flotilla/base';
import { Client } from '@flotilla/client';
import { systemClock, systemRandom } from '@flotilla/host';
import { findTagged } from '@flotilla/host';
import { imageSource, loopbackDriver, processDriver, StraySweeper } from '@flotilla/sandbox';
import type { ExecutionContext } from 'ava';
import { ConfigCache } from '../config-cache.js';
import { type NodeContext, podUidTag } from '../pods/node.js';
import { PodWorkers } from '../pods/workers.js';
import { FakeApi } from './api.js';

/** One node with real processes in a directory of its own, on a fake API. */
export interface TestNode {
  api: FakeApi;
  node: NodeContext;
  events: string[];
  dir: string;
  workers: PodWorkers;
  /** A new agent takes the place of the present one, which ends as if killed. */
  restartAgent(): Promise<void>;
  /** Creates a pod in namespace `default` that is bound to the node. */
  create(name: string, spec: Omit<core.PodSpec, 'containers'> & { containers: PartialContainer[] }): core.Pod;
  /** Resolves with the first status for which `holds`. */
  until(name: string, what: string, holds: (pod: core.Pod) => boolean): Promise<core.Pod>;
  gone(name: string): Promise<void>;
  /** Living processes of the pod, guardians included. */
  processes(pod: core.Pod): number[];
  log(pod: string, container: string): string;
}

export type PartialContainer = Partial<core.Container> & { name: string };

/** `block`: a number of one's own from 1 to 254; the node's addresses are 127.126.<block>.0/24. */
export async function startTestNode(t: ExecutionContext, block: number): Promise<TestNode> {
  const dir = mkdtempSync(join(tmpdir(), 'flotilla-node-'));
  const api = new FakeApi();
  const events: string[] = [];
  writeFileSync(
    join(dir, 'catalogue.json'),
    JSON.stringify({
      images: [
        { names: ['tools'], entrypoint: ['/bin/sh'] },
        { names: ['node'], entrypoint: ['${node}'] },
      ],
    }),
  );
  mkdirSync(join(dir, 'volumes'));
  const client = new Client(api, { logger: silentLogger });
  const shared = { client, clock: systemClock, random: systemRandom, logger: silentLogger };
  let config = new ConfigCache(shared);
  const context = (): NodeContext => ({
    ...shared,
    name: 'node-1',
    nodeIP: `127.126.${block}.1`,
    cluster: { dir, domain: 'cluster.local' },
    podsDir: join(dir, 'pods'),
    volumesDir: join(dir, 'volumes'),
    shim: join(dir, 'no-shim.cjs'),
    allocatable: { cpuMilli: 2000, memoryBytes: 1e9 },
    backoff: { crash: { base: 100, max: 1000 }, image: { base: 100, max: 500 } },
    events: {
      event: (_object, type, reason, message) => void events.push(`${type} ${reason} ${message}`),
      flush: () => Promise.resolve(),
    },
    images: imageSource({ catalogue: join(dir, 'catalogue.json'), registryDir: join(dir, 'images') }),
    processes: processDriver,
    network: loopbackDriver({
      podCIDR: `127.126.${block}.0/24`,
      clusterPodCIDR: '127.126.0.0/16',
      clusterLocalCIDR: '127.190.0.0/16',
      nodeIP: `127.126.${block}.1`,
      dns: `127.126.${block}.1:10053`,
      clusterDomain: 'cluster.local',
      pilot: '127.0.0.1:15010',
    }),
    strays: new StraySweeper(podUidTag),
    config,
    servicesFor: () => [],
  });
  writeFileSync(join(dir, 'no-shim.cjs'), '');
  const start = async (): Promise<void> => {
    config = new ConfigCache(shared);
    test.node = context();
    test.workers = new PodWorkers(test.node);
    const { workers } = test;
    config.onChange((namespace) => workers.configChanged(namespace));
    await workers.start();
  };
  const test: TestNode = {
    api,
    node: context(),
    events,
    dir,
    workers: new PodWorkers(context()),
    restartAgent: async () => {
      await Promise.all([test.workers.release(), config.stop()]);
      await start();
    },
    create: (name, spec) => {
      const complete = (container: PartialContainer): core.Container => ({
        image: 'tools',
        resources: {},
        ...container,
      });
      const containers = spec.containers.map(complete);
      const initContainers = spec.initContainers?.map(complete);
      return api.put<core.Pod>('Pod', {
        metadata: { name, namespace: 'default' },
        spec: { ...spec, containers, ...(initContainers ? { initContainers } : {}), nodeName: 'node-1' },
        status: {},
      });
    },
    until: async (name, what, holds) => {
      for (let i = 0; i < 2000; i++) {
        const pod = api.pod(name);
        if (pod?.status && holds(pod)) return pod;
        await new Promise((resolve) => setTimeout(resolve, 5));
      }
      throw new Error(`never: ${what}\n${JSON.stringify(api.pod(name)?.status, undefined, 1)}\n${events.join('\n')}`);
    },
    gone: async (name) => {
      for (let i = 0; i < 2000 && api.pod(name); i++) await new Promise((resolve) => setTimeout(resolve, 5));
      if (api.pod(name)) throw new Error(`pod ${name} is still there: ${JSON.stringify(api.pod(name))}`);
    },
    processes: (pod) => findTagged(pod.metadata.uid ?? '', podUidTag).map((process) => process.pid),
    log: (pod, container) => {
      const log = test.workers.find('default', pod)?.log(container, false);
      return log ? readFileSync(log.file, 'utf8') : '';
    },
  };
  t.teardown(async () => {
    await Promise.all([test.workers.park(0), config.stop()]);
    rmSync(dir, { recursive: true, force: true });
  });
  await start();
  return test;
}
