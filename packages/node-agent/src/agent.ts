import { mkdirSync, statfsSync } from 'node:fs';
import { join } from 'node:path';
import type { BackoffOptions, Logger } from '@flotilla/base';
import { getCondition, nodes } from '@flotilla/api';
import { Client, connectNats, eventRecorder, Informer, natsTransport, serveNodeLiveness } from '@flotilla/client';
import { type AgentConfig, type Profile, type RunningProcess, systemClock, systemRandom } from '@flotilla/host';
import {
  formatIPv4,
  imageSource,
  loopbackDriver,
  parseCidr,
  processDriver,
  ServiceListeners,
  startDnsServer,
  StraySweeper,
  type WantedListener,
  wantedListeners,
} from '@flotilla/sandbox';
import { ConfigCache } from './config-cache.js';
import { serveLogs } from './logs/serve.js';
import { describeMachine } from './node/describe.js';
import { Registration } from './node/registration.js';
import { type NodeContext, podUidTag } from './pods/node.js';
import { PodWorkers } from './pods/workers.js';
import { hostPortListeners } from './services/host-ports.js';
import { ServiceWatch } from './services/service-watch.js';

/** The port of the node's DNS server, at the node's address. */
export const dnsPort = 10_053;

/** How long a container may take to end when the agent itself is told to, milliseconds. */
const parkGrace = 300;

/** Back-offs of the kubelet, and shorter ones for people who watch. */
const backoffs: Record<Profile, { crash: BackoffOptions; image: BackoffOptions }> = {
  kubernetes: { crash: { base: 10_000, max: 300_000 }, image: { base: 10_000, max: 300_000 } },
  fast: { crash: { base: 1000, max: 300_000 }, image: { base: 2000, max: 10_000 } },
};

/** Runs the node agent; resolves when the node is Ready. */
export async function startAgent(config: AgentConfig, logger: Logger): Promise<RunningProcess> {
  const [clock, random] = [systemClock, systemRandom];
  const podsDir = join(config.nodeDir, 'pods');
  mkdirSync(podsDir, { recursive: true });
  const { bsize, blocks } = statfsSync(podsDir);
  const machine = describeMachine(bsize * blocks);
  const nc = await connectNats(config.nats, { logger, waitForServer: true });
  const client = new Client(natsTransport(nc, config.nats.user), { logger });
  const shared = { client, clock, random, logger };
  const registration = new Registration({ ...shared, config, machine });
  const registered = registration.start();
  const watch = new ServiceWatch(shared);
  watch.start();
  const events = eventRecorder(client, { component: 'kubelet', host: config.node, clock, random, logger });
  const configCache = new ConfigCache(shared);
  const dns = startDnsServer({
    address: config.nodeIP,
    port: dnsPort,
    domain: config.network.clusterDomain,
    data: watch,
    logger,
  });
  const node: NodeContext = {
    ...shared,
    name: config.node,
    nodeIP: config.nodeIP,
    cluster: { dir: config.clusterDir, domain: config.network.clusterDomain },
    podsDir,
    volumesDir: config.volumesDir,
    shim: config.shim,
    allocatable: { cpuMilli: machine.cpus * 1000, memoryBytes: machine.memoryBytes },
    backoff: backoffs[config.profile],
    events,
    images: imageSource(config.images),
    processes: processDriver,
    network: loopbackDriver({
      podCIDR: config.podCIDR,
      clusterPodCIDR: config.network.podCIDR,
      clusterLocalCIDR: config.network.localCIDR,
      nodeIP: config.nodeIP,
      dns: `${config.nodeIP}:${dnsPort}`,
      clusterDomain: config.network.clusterDomain,
      pilot: `${config.pilot.host}:${config.pilot.xdsPort}`,
    }),
    strays: new StraySweeper(podUidTag),
    config: configCache,
    servicesFor: (namespace, links) => watch.forPods(namespace, links),
  };
  const workers = new PodWorkers(node);
  configCache.onChange((namespace) => workers.configChanged(namespace));
  const lock = { address: networkAddress(config.network.serviceCIDR), port: dnsPort };
  const onRefused = ({ owner, address, port }: WantedListener, code: string): void => {
    const [namespace = '', name = ''] = owner.replace(/:\d+$/, '').split('/');
    const service = watch.find(namespace, name);
    const why = code === 'EACCES' ? 'this needs privileges: choose a port of 1024 or more' : code;
    if (service) events.event(service, 'Warning', 'CannotListen', `Cannot listen on ${address}:${port}: ${why}`);
  };
  const listeners = new ServiceListeners({ clock, random, logger, lock, onRefused });
  const relisten = onceATurn(() => {
    const { hostAddress, nodeIP } = config;
    const wanted = wantedListeners(watch.views(), { hostAddress, nodeIP });
    for (const [key, listener] of hostPortListeners(workers.list(), hostAddress)) {
      if (!wanted.has(key)) wanted.set(key, listener);
    }
    listeners.apply(wanted);
  });
  watch.onChange(relisten);
  node.podsChanged = relisten;
  // Pods need the services' variables, and names must resolve before the first program asks.
  const podsStarted = Promise.all([dns, watch.whenSynced()]).then(() => workers.start());
  const logs = serveLogs(nc, config.node, workers, { clock, logger });
  const liveness = serveNodeLiveness(nc, config.node, { clock });
  const self = new Informer(client, nodes, { ...shared, fieldSelector: `metadata.name=${config.node}` });
  self.onChange((_key, now) => {
    // After a pause or a cut, the control plane has given the node up: it hears at once that it may take that back.
    if (now && getCondition(now.status.conditions ?? [], 'Ready')?.status !== 'True') void registration.contradict(now);
  });
  void registered.then(() => self.start());
  await Promise.all([registered, podsStarted]);
  return {
    stop: async () => {
      listeners.stop();
      registration.stop();
      await workers.park(parkGrace);
      await Promise.all([
        liveness.stop(),
        logs.stop(),
        watch.stop(),
        self.stop(),
        configCache.stop(),
        (await dns).stop(),
      ]);
      await nc.close();
    },
  };
}

/** The first address of a block, which no service is ever given. */
function networkAddress(block: string): string {
  return formatIPv4(parseCidr(block)?.base ?? 0);
}

/** Calls `fn` once for all calls of one turn of the event loop. */
function onceATurn(fn: () => void): () => void {
  let due = false;
  return () => {
    if (due) return;
    due = true;
    setImmediate(() => {
      due = false;
      fn();
    });
  };
}
