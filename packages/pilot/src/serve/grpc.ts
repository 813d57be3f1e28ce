import { describeError, type Logger } from '@flotilla/base';
import { adsService, type DiscoveryRequest, type DiscoveryResponse, type Outgoing } from '@flotilla/xds';
import type { Server, ServerDuplexStream, UntypedServiceImplementation } from '@grpc/grpc-js';
import { NodeError } from '../model/proxy.js';
import type { Discovery } from './discovery.js';

type Call = ServerDuplexStream<DiscoveryRequest, Outgoing<DiscoveryResponse>>;

export interface RunningServer {
  /** The port that was bound. */
  readonly port: number;
  stop(): Promise<void>;
}

/** Serves ADS over gRPC without TLS. */
export async function serveAds(
  discovery: Discovery,
  listen: { host: string; port: number },
  logger: Logger,
): Promise<RunningServer> {
  // Loaded here, so that the process is connected and listing before this library is read.
  const grpc = await import('@grpc/grpc-js');
  const server = new grpc.Server({
    'grpc.max_receive_message_length': 16 * 1024 * 1024,
    'grpc.keepalive_time_ms': 30_000,
    'grpc.keepalive_timeout_ms': 10_000,
  });
  const handlers: UntypedServiceImplementation = {
    StreamAggregatedResources: (call: Call) => handle(discovery, call, grpc.status, logger),
    DeltaAggregatedResources: (call: Call) => {
      const details = 'delta xDS is not served yet; use StreamAggregatedResources';
      call.emit('error', { code: grpc.status.UNIMPLEMENTED, details });
    },
  };
  server.addService(adsService, handlers);
  const port = await bind(server, listen, grpc.ServerCredentials.createInsecure());
  return { port, stop: () => stop(server) };
}

function handle(
  discovery: Discovery,
  call: Call,
  status: { INVALID_ARGUMENT: number; INTERNAL: number },
  logger: Logger,
): void {
  const connection = discovery.open((response) => call.write(response));
  const close = (): void => discovery.close(connection);
  call.on('data', (request: DiscoveryRequest) => {
    try {
      discovery.receive(connection, request);
    } catch (error) {
      close();
      const code = error instanceof NodeError ? status.INVALID_ARGUMENT : status.INTERNAL;
      logger.warn('stream ended', { error: describeError(error) });
      call.emit('error', { code, details: describeError(error) });
    }
  });
  call.on('end', () => {
    close();
    call.end();
  });
  call.on('error', close);
  call.on('cancelled', close);
  call.on('close', close);
}

function bind(
  server: Server,
  { host, port }: { host: string; port: number },
  credentials: Parameters<Server['bindAsync']>[1],
): Promise<number> {
  return new Promise((resolve, reject) => {
    server.bindAsync(`${host}:${port}`, credentials, (error, bound) => (error ? reject(error) : resolve(bound)));
  });
}

/** Open streams have no end of their own: they are cut, and the proxies look for another pilot. */
function stop(server: Server): Promise<void> {
  server.forceShutdown();
  return Promise.resolve();
}
