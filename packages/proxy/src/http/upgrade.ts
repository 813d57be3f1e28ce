import {
  addFlag,
  type ClusterChoice,
  type Forward,
  HeaderList,
  newStreamInfo,
  type Route,
  type StreamInfo,
} from '@flotilla/traffic';
import { type DownstreamUpgrade, tunnel } from '@flotilla/wire';
import type { Connection } from './connection.js';
import type { HttpPorts } from './manager.js';
import { type LocalReply, noCluster, noHealthyUpstream, noRoute } from './outcome.js';
import { prepareRequest } from './request-headers.js';
import { finishResponse } from './response-headers.js';

const forbidden: LocalReply = { status: 403, body: '', flag: undefined, details: 'upgrade_failed' };

/** An Upgrade request: routed like any other, then carried as a tunnel. No retries: a tunnel has no second beginning. */
export async function serveTunnel(upgrade: DownstreamUpgrade, connection: Connection, ports: HttpPorts): Promise<void> {
  const { spec, clock, stats, telemetry } = ports;
  const started = clock.monotonic();
  const info = newStreamInfo(clock.now());
  stats.begin();
  const prepared = prepareRequest(upgrade, connection, spec, ports.newRequestId);
  const { request } = prepared;
  info.protocol = `HTTP/${upgrade.version}`;
  info.request = request;
  info.downstreamRemoteAddress = prepared.remoteAddress;
  info.downstreamLocalAddress = `${connection.local.address}:${connection.local.port}`;
  const route = prepared.reject ? undefined : ports.routes().find(request, ports.random);
  if (route?.name) info.routeName = route.name;
  telemetry.request(request, info, connection);
  const plan = choose(upgrade, route, info, ports);
  if ('details' in plan) {
    const reply = prepared.reject ? { ...prepared.reject, body: '', flag: undefined } : plan;
    refuse(upgrade, reply, info, spec);
  } else {
    await carry(upgrade, plan, info, connection, ports);
  }
  info.duration = clock.monotonic() - started;
  ports.finished(info, connection);
}

interface Plan {
  route: Route;
  action: Forward;
  choice: ClusterChoice;
}

function choose(
  upgrade: DownstreamUpgrade,
  route: Route | undefined,
  info: StreamInfo,
  ports: HttpPorts,
): Plan | LocalReply {
  if (!route) return noRoute;
  const { action } = route;
  if (action.kind === 'redirect') {
    const location = action.location(info.request!);
    return {
      status: action.status,
      body: '',
      flag: undefined,
      details: 'direct_response',
      headers: [['location', location]],
    };
  }
  if (action.kind === 'direct')
    return { status: action.status, body: action.body, flag: undefined, details: 'direct_response' };
  const allowed = action.upgrades.get(upgrade.protocol) ?? ports.spec.upgrades.has(upgrade.protocol);
  // Tunnels other than WebSocket (CONNECT among them) are for a later data path.
  if (!allowed || upgrade.protocol !== 'websocket') return forbidden;
  const choice = action.clusters.choose(info.request!, ports.random);
  return choice ? { route, action, choice } : noCluster(action.clusterMissing);
}

function refuse(upgrade: DownstreamUpgrade, reply: LocalReply, info: StreamInfo, spec: HttpPorts['spec']): void {
  const headers = new HeaderList();
  for (const [name, value] of reply.headers ?? []) headers.append(name, value);
  if (reply.body) headers.append('content-type', 'text/plain');
  finishResponse(headers, spec, info.request?.get('x-request-id'));
  if (reply.flag) addFlag(info, reply.flag);
  info.responseCode = reply.status;
  info.responseCodeDetails = reply.details;
  info.response = headers;
  upgrade.refuse(reply.status, headers, reply.body);
}

async function carry(
  upgrade: DownstreamUpgrade,
  { route, action, choice }: Plan,
  info: StreamInfo,
  connection: Connection,
  ports: HttpPorts,
): Promise<void> {
  const request = info.request!;
  info.upstreamCluster = choice.cluster;
  const cluster = ports.clusters.get(choice.cluster);
  if (!cluster) return refuse(upgrade, noCluster(action.clusterMissing), info, ports.spec);
  const host = cluster.pick(connection.local);
  if (!host) return refuse(upgrade, noHealthyUpstream, info, ports.spec);
  info.upstreamHost = host.key;
  ports.telemetry.toUpstream(request, info, cluster, connection);
  choice.editRequest?.(request, info);
  route.editRequest?.(request, info);
  action.rewrite(request);
  const headers = new HeaderList([
    'host',
    request.authority,
    ...request.flat,
    'connection',
    'Upgrade',
    'upgrade',
    upgrade.protocol,
  ]);
  const { address, port, localAddress } = cluster.route(host);
  host.active++;
  cluster.stats.rqTotal.inc();
  cluster.stats.rqActive.inc();
  const result = await tunnel(upgrade, {
    address,
    port,
    ...(localAddress === undefined ? {} : { localAddress }),
    idleTimeout: action.idleTimeout ?? ports.spec.streamIdleTimeout,
    path: request.path,
    headers,
    onResponse(status, response) {
      cluster.stats.response(status);
      cluster.report(host, { status });
      ports.telemetry.fromUpstream(response, info, connection);
      route.editResponse?.(response, info);
      finishResponse(response, ports.spec, request.get('x-request-id'));
      info.response = response;
    },
  });
  host.active--;
  cluster.stats.rqActive.dec();
  info.responseCode = result.status || 503;
  info.bytesReceived = result.received;
  info.bytesSent = result.sent;
  info.responseCodeDetails = 'via_upstream';
  if (result.status !== 0) return;
  cluster.report(host, { local: 'connect failed' });
  addFlag(info, 'UF');
  info.responseCodeDetails = 'upstream_reset_before_response_started{connection_termination}';
}
