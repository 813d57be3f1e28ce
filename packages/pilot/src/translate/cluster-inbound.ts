import type { Cluster } from '@flotilla/xds';
import { isHttp2, isHttpOrAuto } from '../model/protocol.js';
import { circuitBreakers, httpOptions } from './cluster-policy.js';
import { passthrough } from './cluster.js';
import { defaults } from './durations.js';
import type { InboundPort } from './inbound-ports.js';
import { inboundCluster, inboundPassthroughCluster } from './names.js';
import type { Interception } from '../model/proxy.js';

/**
 * Clusters towards the proxy's own pod: to the address the client connected to. With REDIRECT the connection must come
 * from 127.0.0.6, or it would be captured again; on loopback the proxy dials the pod's private twin instead.
 */
export function inboundClusters(ports: readonly InboundPort[], interception: Interception): Cluster[] {
  const clusters = [...ports.map(inbound), passthrough(inboundPassthroughCluster)];
  if (interception !== 'LOOPBACK') {
    for (const cluster of clusters) {
      cluster.upstream_bind_config = { source_address: { address: '127.0.0.6', port_value: 0 } };
    }
  }
  return clusters;
}

function inbound({ port, protocol, host, name, namespace }: InboundPort): Cluster {
  const cluster: Cluster = {
    name: inboundCluster(port),
    type: 'ORIGINAL_DST',
    lb_policy: 'CLUSTER_PROVIDED',
    connect_timeout: defaults.connectTimeout,
    circuit_breakers: circuitBreakers(undefined),
    metadata: { filter_metadata: { istio: { services: [{ host, name, namespace }] } } },
  };
  const spoken = isHttp2(protocol) ? 'http2' : protocol === 'auto' ? 'downstream' : 'http1';
  const options = isHttpOrAuto(protocol) ? httpOptions(spoken, undefined) : undefined;
  if (options) cluster.typed_extension_protocol_options = options;
  return cluster;
}
