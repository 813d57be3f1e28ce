import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { objectCodec, startApiServer } from '@flotilla/apiserver';
import { type core, type KubeObject, keyOf, namespaces, nodes, pods, type ResourceInfo } from '@flotilla/api';
import { type Logger, silentLogger } from '@flotilla/base';
import {
  Client,
  connectNats,
  Informer,
  natsNodeLiveness,
  natsTransport,
  retrying,
  serveNodeLiveness,
} from '@flotilla/client';
import { startControllers } from '@flotilla/controllers';
import { type Profile, systemClock, systemRandom } from '@flotilla/host';
import { startScheduler } from '@flotilla/scheduler';
import { MemoryStore } from '@flotilla/store';
import { type NatsFixture, startNats } from '@flotilla/testkit';

const parts = { clock: systemClock, random: systemRandom };

/** API server, controllers and scheduler in this process, around a real nats-server; nodes are hollow. */
export interface ControlPlane {
  client: Client;
  /** Registers a node whose pods start and stop at once. */
  addNode(name: string, options?: HollowOptions): Promise<HollowNode>;
  stop(): Promise<void>;
}

export interface HollowOptions {
  labels?: Record<string, string>;
  taints?: core.Taint[];
  cpu?: string;
  /** Whether its pods become ready; all do if absent. */
  becomesReady?: (pod: core.Pod) => boolean;
}

export interface HollowNode {
  readonly name: string;
  /** The agent's process dies: its connection ends. */
  kill(): Promise<void>;
  /** The agent hangs: the connection stays, nothing is sent or answered. */
  hang(): Promise<void>;
  /** The agent is back after `kill` or `hang`. */
  revive(): Promise<void>;
}

export async function startControlPlane(options: { profile?: Profile; logger?: Logger } = {}): Promise<ControlPlane> {
  const { profile = 'fast', logger = silentLogger } = options;
  const users = ['apiserver', 'controllers', 'scheduler', ...Array.from({ length: 9 }, (_, i) => `node-${i + 1}`)];
  const nats = await startNats({ users: users.map((user) => ({ user })), systemAccount: true });
  const volumesDir = await mkdtemp(join(tmpdir(), 'flotilla-volumes-'));
  const connect = (user: string) => connectNats(nats.access(user), { logger });
  const [forApi, forControllers, forScheduler, forSystem] = await Promise.all(
    ['apiserver', 'controllers', 'scheduler', 'system'].map(connect),
  );
  if (!forApi || !forControllers || !forScheduler || !forSystem) throw new Error('unreachable');
  const store = new MemoryStore(objectCodec);
  const mesh = {
    clusterDomain: 'cluster.local',
    proxyVersion: '1.0',
    discoveryAddress: 'istiod.istio-system.svc:15012',
  };
  const api = await startApiServer({
    ...parts,
    store,
    profile,
    serviceCIDR: '127.193.0.0/16',
    mesh,
    nats: forApi,
    logger,
  });
  const client = new Client(natsTransport(forControllers, 'controllers'), { logger });
  // The server's subscriptions may reach NATS after our first request.
  await retrying(() => client.resource(namespaces).create({ metadata: { name: 'default' }, spec: {}, status: {} }), {
    ...parts,
    deadlineMs: 5000,
  });
  const liveness = natsNodeLiveness({ nc: forControllers, system: forSystem, logger });
  const network = {
    driver: 'loopback' as const,
    podCIDR: '127.65.0.0/16',
    localCIDR: '127.129.0.0/16',
    serviceCIDR: '127.193.0.0/16',
    clusterDomain: 'cluster.local',
  };
  const controllers = startControllers({
    ...parts,
    client,
    liveness,
    volumes: {
      async create(volume) {
        await mkdir(join(volumesDir, volume), { recursive: true });
        return join(volumesDir, volume);
      },
      remove: (volume) => rm(join(volumesDir, volume), { recursive: true, force: true }),
    },
    logger: logger.with({ part: 'controllers' }),
    config: { profile, network, clusterCA: 'PEM', hostAddress: '127.0.0.1' },
  });
  const scheduler = startScheduler({
    ...parts,
    client: new Client(natsTransport(forScheduler, 'scheduler'), { logger }),
    logger: logger.with({ part: 'scheduler' }),
    config: { profile },
  });
  await Promise.all([controllers.started, scheduler.started]);
  const hollows: RunningHollow[] = [];
  return {
    client,
    async addNode(name, hollow = {}) {
      const node = new RunningHollow(name, nats, hollow, hollows.length + 1);
      hollows.push(node);
      await node.register(client);
      await node.revive();
      return node;
    },
    async stop() {
      await Promise.all(hollows.map((node) => node.kill()));
      await Promise.all([controllers.stop(), scheduler.stop()]);
      await liveness.close();
      await api.stop();
      await Promise.all([forApi, forControllers, forScheduler, forSystem].map((nc) => nc.close()));
      await nats.close();
      await rm(volumesDir, { recursive: true, force: true });
    },
  };
}

const time = (): string => new Date().toISOString().replace(/\.\d+Z/, 'Z');

function readyNode(name: string, options: HollowOptions): core.Node {
  const amounts = { cpu: options.cpu ?? '8', memory: '16Gi', pods: '110' };
  return {
    metadata: { name, labels: { 'kubernetes.io/hostname': name, ...options.labels } },
    spec: options.taints ? { taints: options.taints } : {},
    status: {
      ...readyStatus(),
      capacity: amounts,
      allocatable: amounts,
      daemonEndpoints: { kubeletEndpoint: { Port: 10250 } },
      nodeInfo: {
        machineID: '',
        systemUUID: '',
        bootID: '',
        kernelVersion: '',
        osImage: '',
        containerRuntimeVersion: '',
        kubeletVersion: 'v1.36.0',
        kubeProxyVersion: '',
        operatingSystem: 'linux',
        architecture: 'amd64',
      },
    },
  };
}

const readyStatus = (): { conditions: core.NodeCondition[] } => ({
  conditions: ['MemoryPressure', 'DiskPressure', 'PIDPressure', 'Ready'].map((type) => ({
    type,
    status: type === 'Ready' ? 'True' : 'False',
    reason: type === 'Ready' ? 'KubeletReady' : 'Fine',
    message: '',
    lastHeartbeatTime: time(),
    lastTransitionTime: time(),
  })),
});

class RunningHollow implements HollowNode {
  readonly name: string;
  readonly #nats: NatsFixture;
  readonly #options: HollowOptions;
  readonly #number: number;
  #stop: (() => Promise<void>) | undefined;
  #stopHung: (() => Promise<void>) | undefined;
  #nextAddress = 2;

  constructor(name: string, nats: NatsFixture, options: HollowOptions, number: number) {
    this.name = name;
    this.#nats = nats;
    this.#options = options;
    this.#number = number;
  }

  async register(client: Client): Promise<void> {
    const node = readyNode(this.name, this.#options);
    await client.resource(nodes).create(node);
    await client.resource(nodes).patch({ name: this.name }, { status: node.status }, { subresource: 'status' });
  }

  async kill(): Promise<void> {
    await this.#stop?.();
    await this.#stopHung?.();
    this.#stop = undefined;
    this.#stopHung = undefined;
  }

  async hang(): Promise<void> {
    this.#stopHung = this.#stop;
    this.#stop = undefined;
    await this.#mute?.();
  }

  #mute: (() => Promise<void>) | undefined;

  async revive(): Promise<void> {
    await this.kill();
    const nc = await connectNats(this.#nats.access(this.name), { logger: silentLogger });
    const client = new Client(natsTransport(nc, this.name), { logger: silentLogger });
    const liveness = serveNodeLiveness(nc, this.name, { clock: systemClock });
    const open = <T extends KubeObject>(info: ResourceInfo<T>, fieldSelector: string): Informer<T> =>
      new Informer(client, info, { ...parts, fieldSelector, logger: silentLogger });
    const mine = open(pods, `spec.nodeName=${this.name}`);
    const self = open(nodes, `metadata.name=${this.name}`);
    let muted = false;
    mine.onChange((_key, pod) => {
      if (!muted && pod) void this.#serve(client, pod).catch(() => undefined);
    });
    self.onChange((_key, node) => {
      const ready = node?.status.conditions?.find((c) => c.type === 'Ready')?.status;
      if (!muted && node && ready !== 'True') {
        const status = { ...node.status, ...readyStatus() };
        client
          .resource(nodes)
          .updateStatus({ ...node, status })
          .catch(() => undefined);
      }
    });
    mine.start();
    self.start();
    this.#mute = async () => {
      muted = true;
      await liveness.stop();
    };
    this.#stop = async () => {
      muted = true;
      await liveness.stop();
      await nc.close();
      await Promise.all([mine.stop(), self.stop()]);
    };
  }

  /** What an agent does with a pod, without a pod. */
  async #serve(client: Client, pod: core.Pod): Promise<void> {
    const [namespace = '', name = ''] = keyOf(pod).split('/');
    if (pod.metadata.deletionTimestamp) {
      return client.resource(pods).delete({ name, namespace }, { gracePeriodSeconds: 0 });
    }
    const ready = this.#options.becomesReady?.(pod) ?? true;
    const present = pod.status.conditions?.find((c) => c.type === 'Ready')?.status;
    if (pod.status.phase === 'Running' && present === (ready ? 'True' : 'False')) return;
    const podIP = pod.status.podIP ?? `127.65.${this.#number}.${this.#nextAddress++}`;
    const status: core.PodStatus = {
      ...pod.status,
      phase: 'Running',
      podIP,
      podIPs: [{ ip: podIP }],
      conditions: [
        ...(pod.status.conditions ?? []).filter((c) => c.type !== 'Ready'),
        { type: 'Ready', status: ready ? 'True' : 'False', lastTransitionTime: time() },
      ],
    };
    await client.resource(pods).updateStatus({ ...pod, status });
  }
}
