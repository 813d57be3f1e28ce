import * as grpc from '@grpc/grpc-js';
import { deferred, systemWait } from './wait.js';
import {
  AdsServerStream,
  adsService,
  type DiscoveryRequest,
  type DiscoveryResponse,
  encodeResource,
  type EncodedResource,
  type Outgoing,
  type ResourceKind,
  resourceName,
  type Resources,
  type ResourceView,
  type WatchStatus,
} from '@flotilla/xds';

export type World = { [K in ResourceKind]?: Resources[K][] };

type Stream = grpc.ServerDuplexStream<DiscoveryRequest, Outgoing<DiscoveryResponse>>;

/** A control plane for tests: serves what it is told, over real gRPC, with the server half of the xds package. */
export class FakePilot {
  readonly #streams = new Map<Stream, AdsServerStream>();
  readonly requests: DiscoveryRequest[] = [];
  #server: grpc.Server;
  #view: ResourceView = viewOf({}, 0);
  #version = 0;
  #port = 0;
  readonly #host: string;

  constructor(host: string) {
    this.#host = host;
    this.#server = new grpc.Server();
  }

  get address(): { host: string; port: number } {
    return { host: this.#host, port: this.#port };
  }

  async start(): Promise<void> {
    this.#server = new grpc.Server();
    this.#server.addService(
      { StreamAggregatedResources: adsService.StreamAggregatedResources },
      { StreamAggregatedResources: (stream: Stream) => this.#serve(stream) },
    );
    const bound = deferred<number>();
    this.#server.bindAsync(`${this.#host}:${this.#port}`, grpc.ServerCredentials.createInsecure(), (error, port) =>
      error ? bound.reject(error) : bound.resolve(port),
    );
    this.#port = await bound.promise;
  }

  /** Dies at once: streams break. */
  stop(): void {
    this.#server.forceShutdown();
    this.#streams.clear();
  }

  push(world: World): void {
    this.#view = viewOf(world, ++this.#version);
    for (const stream of this.#streams.keys()) this.#plan(stream);
  }

  status(): WatchStatus[] {
    return [...this.#streams.values()].flatMap((state) => state.status());
  }

  /** Resolves when every client has accepted or refused everything. */
  async settled(): Promise<void> {
    await systemWait(() => {
      const all = this.status();
      return all.length >= 2 && all.every(({ synced, rejected }) => synced || rejected !== undefined);
    }, 'the proxy to take its configuration');
  }

  /** Messages of NACKs. */
  get rejections(): string[] {
    return this.requests.flatMap(({ error_detail }) => (error_detail ? [error_detail.message ?? ''] : []));
  }

  #serve(stream: Stream): void {
    this.#streams.set(stream, new AdsServerStream());
    stream.on('data', (request: DiscoveryRequest) => {
      this.requests.push(request);
      this.#streams.get(stream)?.receive(request);
      this.#plan(stream);
    });
    stream.on('end', () => {
      this.#streams.delete(stream);
      stream.end();
    });
    stream.on('error', () => this.#streams.delete(stream));
    stream.on('cancelled', () => this.#streams.delete(stream));
  }

  #plan(stream: Stream): void {
    for (const push of this.#streams.get(stream)?.plan(this.#view, performance.now()).pushes ?? []) {
      const { typeUrl: type_url, version: version_info, nonce, resources } = push;
      stream.write({ type_url, version_info, nonce, resources: resources.map(({ body }) => body) });
    }
  }
}

function viewOf(world: World, version: number): ResourceView {
  const encoded = <K extends ResourceKind>(kind: K): Map<string, EncodedResource> =>
    new Map(
      (world[kind] ?? []).map((resource) => {
        const body = encodeResource(kind, resource);
        const name = resourceName(kind, resource);
        return [name, { name, version: Buffer.from(body.value ?? []).toString('base64'), body }];
      }),
    );
  const kinds = {
    cluster: encoded('cluster'),
    endpoint: encoded('endpoint'),
    listener: encoded('listener'),
    route: encoded('route'),
    secret: encoded('secret'),
  };
  return {
    version: `v${version}`,
    token: (kind) => kinds[kind],
    all: (kind) => kinds[kind],
    find: (kind, name) => kinds[kind].get(name),
  };
}
