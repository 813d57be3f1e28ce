import { HeaderList, type RequestHeaders, type StreamInfo } from '@flotilla/traffic';
import { decode, encode, type JsonObject } from '@flotilla/xds';
import { type Bootstrap, canonicalName, canonicalRevision } from './bootstrap.js';
import type { Connection } from './http/connection.js';
import type { Counter, Histogram, Labels, StatsRegistry } from './stats/registry.js';
import type { UpstreamCluster } from './upstream/cluster.js';

/** Who is at an end of a connection, as Istio's metrics name it. */
interface Peer {
  /** Tells peers apart. */
  key: string;
  workload: string;
  namespace: string;
  app: string;
  version: string;
  service: string;
  revision: string;
  cluster: string;
}

const unknownPeer: Peer = {
  key: '',
  workload: 'unknown',
  namespace: 'unknown',
  app: 'unknown',
  version: 'unknown',
  service: 'unknown',
  revision: 'latest',
  cluster: 'unknown',
};

const idHeader = 'x-envoy-peer-metadata-id';
const metadataHeader = 'x-envoy-peer-metadata';

interface HttpMetrics {
  requests: Counter;
  duration: Histogram;
  received: Histogram;
  sent: Histogram;
}

/** What a stream has learnt of its other end. */
interface Context {
  peer?: Peer;
  cluster?: UpstreamCluster;
}

/**
 * Istio's standard metrics, and the exchange of workload metadata that they need: each proxy says who it is in two
 * headers, and takes what the other says out again before the application sees it.
 */
export class Telemetry {
  readonly #registry: StatsRegistry;
  readonly #self: Peer;
  readonly #id: string;
  readonly #encoded: string;
  readonly #contexts = new WeakMap<StreamInfo, Context>();
  readonly #http = new Map<string, HttpMetrics>();

  constructor(bootstrap: Bootstrap, registry: StatsRegistry) {
    const { labels, workload, namespace } = bootstrap;
    this.#registry = registry;
    this.#id = bootstrap.node.id ?? '';
    this.#self = peerOf({
      WORKLOAD_NAME: workload,
      NAMESPACE: namespace,
      LABELS: { ...labels },
      CLUSTER_ID: 'Kubernetes',
    });
    this.#encoded = encodeMetadata({
      NAME: bootstrap.pod,
      NAMESPACE: namespace,
      WORKLOAD_NAME: workload,
      CLUSTER_ID: 'Kubernetes',
      LABELS: {
        app: this.#self.app,
        version: this.#self.version,
        'service.istio.io/canonical-name': this.#self.service,
        'service.istio.io/canonical-revision': this.#self.revision,
      },
    });
  }

  /** A request has come in: what does its sender say? */
  request(request: RequestHeaders, info: StreamInfo, connection: Connection): void {
    const text = request.get(metadataHeader);
    const context: Context = {};
    if (connection.direction === 'INBOUND' && text) context.peer = decodePeer(text);
    this.#contexts.set(info, context);
    request.remove(idHeader);
    request.remove(metadataHeader);
  }

  toUpstream(request: RequestHeaders, info: StreamInfo, cluster: UpstreamCluster, connection: Connection): void {
    const context = this.#contexts.get(info);
    if (context) context.cluster = cluster;
    if (connection.direction === 'INBOUND') return;
    request.set(idHeader, this.#id);
    request.set(metadataHeader, this.#encoded);
  }

  fromUpstream(response: HeaderList, info: StreamInfo, connection: Connection): void {
    if (connection.direction === 'INBOUND') {
      // Only a caller with a proxy knows what to do with it, and takes it out again.
      if (this.#contexts.get(info)?.peer) {
        response.set(idHeader, this.#id);
        response.set(metadataHeader, this.#encoded);
      }
      return;
    }
    const text = response.get(metadataHeader);
    const context = this.#contexts.get(info);
    if (text && context) context.peer = decodePeer(text);
    response.remove(idHeader);
    response.remove(metadataHeader);
  }

  /** An HTTP request is over. */
  http(info: StreamInfo, connection: Connection): void {
    const metrics = this.#httpMetrics(info, connection);
    metrics.requests.inc();
    metrics.duration.record(info.duration ?? 0);
    metrics.received.record(info.bytesReceived + (info.request?.byteSize ?? 0));
    metrics.sent.record(info.bytesSent + (info.response?.byteSize ?? 0));
  }

  /** Two dozen labels make an expensive key: what a request can vary in is few, and looked up first. */
  #httpMetrics(info: StreamInfo, connection: Connection): HttpMetrics {
    const context = this.#contexts.get(info);
    const grpc = info.response?.get('grpc-status') ?? '';
    const peer = context?.peer?.key ?? info.upstreamHost ?? '';
    const cluster = context?.cluster?.spec.name ?? '';
    const key = `${info.responseCode}|${info.flags.join()}|${grpc}|${connection.direction}|${cluster}|${peer}`;
    let metrics = this.#http.get(key);
    if (!metrics) {
      const labels = {
        ...this.#labels(info, connection, 'http'),
        response_code: String(info.responseCode),
        grpc_response_status: grpc,
      };
      metrics = {
        requests: this.#registry.counter('istio_requests_total', labels),
        duration: this.#registry.histogram('istio_request_duration_milliseconds', labels),
        received: this.#registry.histogram('istio_request_bytes', labels),
        sent: this.#registry.histogram('istio_response_bytes', labels),
      };
      if (this.#http.size > 5000) this.#http.clear();
      this.#http.set(key, metrics);
    }
    return metrics;
  }

  tcpOpened(info: StreamInfo, cluster: UpstreamCluster | undefined, connection: Connection): void {
    this.#contexts.set(info, cluster ? { cluster } : {});
    this.#registry.counter('istio_tcp_connections_opened_total', this.#labels(info, connection, 'tcp')).inc();
  }

  tcpClosed(info: StreamInfo, connection: Connection): void {
    const labels = this.#labels(info, connection, 'tcp');
    this.#registry.counter('istio_tcp_connections_closed_total', labels).inc();
    this.#registry.counter('istio_tcp_received_bytes_total', labels).inc(info.bytesReceived);
    this.#registry.counter('istio_tcp_sent_bytes_total', labels).inc(info.bytesSent);
  }

  #labels(info: StreamInfo, connection: Connection, protocol: string): Labels {
    const context = this.#contexts.get(info) ?? {};
    const inbound = connection.direction === 'INBOUND';
    const other = context.peer ?? (inbound ? unknownPeer : hostPeer(info, context.cluster));
    const [source, destination] = inbound ? [other, this.#self] : [this.#self, other];
    const service = context.cluster?.spec.service;
    return {
      reporter: inbound ? 'destination' : 'source',
      source_workload: source.workload,
      source_canonical_service: source.service,
      source_canonical_revision: source.revision,
      source_workload_namespace: source.namespace,
      source_principal: 'unknown',
      source_app: source.app,
      source_version: source.version,
      source_cluster: source.cluster,
      destination_workload: destination.workload,
      destination_workload_namespace: destination.namespace,
      destination_principal: 'unknown',
      destination_app: destination.app,
      destination_version: destination.version,
      destination_service: service?.host || 'unknown',
      destination_canonical_service: destination.service,
      destination_canonical_revision: destination.revision,
      destination_service_name: service?.name || 'unknown',
      destination_service_namespace: service?.namespace || destination.namespace,
      destination_cluster: destination.cluster,
      request_protocol: protocol,
      response_flags: info.flags.length > 0 ? info.flags.join(',') : '-',
      connection_security_policy: inbound ? 'none' : 'unknown',
    };
  }
}

function peerOf(metadata: JsonObject): Peer {
  const labels: Record<string, string> = {};
  if (typeof metadata.LABELS === 'object' && metadata.LABELS !== null && !Array.isArray(metadata.LABELS)) {
    for (const [name, value] of Object.entries(metadata.LABELS)) if (typeof value === 'string') labels[name] = value;
  }
  const text = (value: unknown): string => (typeof value === 'string' && value !== '' ? value : 'unknown');
  const workload = text(metadata.WORKLOAD_NAME);
  const namespace = text(metadata.NAMESPACE);
  return {
    key: `${workload}.${namespace}.${labels.version ?? ''}`,
    workload,
    namespace,
    app: text(labels.app),
    version: text(labels.version),
    service: canonicalName(labels, workload),
    revision: canonicalRevision(labels),
    cluster: text(metadata.CLUSTER_ID),
  };
}

/** The endpoint's own metadata, `workload;namespace;canonical service;revision;cluster`: for peers without a proxy. */
function hostPeer(info: StreamInfo, cluster: UpstreamCluster | undefined): Peer {
  const host = cluster?.hosts.find(({ key }) => key === info.upstreamHost);
  const istio = host?.metadata.istio;
  const text = typeof istio === 'object' && istio !== null && 'workload' in istio ? istio.workload : undefined;
  if (typeof text !== 'string') return unknownPeer;
  const [workload = '', namespace = '', service = '', revision = '', id = ''] = text.split(';');
  return {
    ...unknownPeer,
    workload,
    namespace,
    service,
    revision,
    cluster: id || 'unknown',
    app: service,
    version: revision,
  };
}

/** Istio sends a google.protobuf.Struct in base64. The codec knows Struct as a field: Node's field 3, after tag and length. */
function encodeMetadata(metadata: JsonObject): string {
  const bytes = encode('envoy.config.core.v3.Node', { metadata });
  let at = 1;
  while (bytes[at]! & 0x80) at++;
  return Buffer.from(bytes.subarray(at + 1)).toString('base64');
}

/** Thousands of requests come from a few peers: what they say is decoded once. */
const decoded = new Map<string, Peer>();

function decodePeer(text: string): Peer {
  const known = decoded.get(text);
  if (known) return known;
  if (decoded.size > 1000) decoded.clear();
  const peer = peerOf(decodeMetadata(text));
  decoded.set(text, peer);
  return peer;
}

function decodeMetadata(text: string): JsonObject {
  const bytes = Buffer.from(text, 'base64');
  const head = [0x1a];
  for (let rest = bytes.length; ; rest >>>= 7) {
    head.push(rest > 0x7f ? (rest & 0x7f) | 0x80 : rest);
    if (rest <= 0x7f) break;
  }
  try {
    return decode('envoy.config.core.v3.Node', Buffer.concat([Buffer.from(head), bytes])).metadata ?? {};
  } catch {
    return {};
  }
}
