import { connect } from 'node:http2';
import type { core } from '@flotilla/api';
import type { ProbeResult } from './check.js';

/**
 * `grpc.health.v1.Health/Check` over plain HTTP/2. Both messages have one field each, so they are written and read by
 * hand: HealthCheckRequest{service: 1 string}, HealthCheckResponse{status: 1 enum, SERVING = 1}.
 */
export function checkGrpc(action: core.GRPCAction, timeoutMs: number, podIP: string): Promise<ProbeResult> {
  return new Promise((resolve) => {
    const session = connect(`http://${podIP}:${action.port}`);
    const finish = (success: boolean, output: string): void => {
      clearTimeout(timer);
      session.destroy();
      resolve({ success, output });
    };
    const timer = setTimeout(
      () => finish(false, `timeout: failed to connect service "${podIP}:${action.port}" within ${timeoutMs / 1000}s`),
      timeoutMs,
    );
    session.once('error', (error) => finish(false, `error: health rpc failed: ${error.message}`));
    const stream = session.request({
      ':method': 'POST',
      ':path': '/grpc.health.v1.Health/Check',
      'content-type': 'application/grpc',
      te: 'trailers',
      'user-agent': 'kube-probe/1.36',
    });
    const chunks: Buffer[] = [];
    let status = '';
    stream.once('error', (error) => finish(false, `error: health rpc failed: ${error.message}`));
    stream.on('response', (headers) => (status = String(headers['grpc-status'] ?? '')));
    stream.on('trailers', (trailers) => (status = String(trailers['grpc-status'] ?? status)));
    stream.on('data', (chunk: Buffer) => chunks.push(chunk));
    stream.once('end', () => {
      if (status !== '0') return finish(false, `error: health rpc failed: grpc status ${status}`);
      const serving = healthStatus(Buffer.concat(chunks));
      finish(
        serving === 1,
        serving === 1 ? '' : `service unhealthy (responded with "${statusNames[serving] ?? serving}")`,
      );
    });
    stream.end(frame(action.service ?? ''));
  });
}

const statusNames = ['UNKNOWN', 'SERVING', 'NOT_SERVING', 'SERVICE_UNKNOWN'];

function frame(service: string): Buffer {
  const name = Buffer.from(service);
  const message = name.length === 0 ? Buffer.alloc(0) : Buffer.concat([Buffer.of(0x0a, name.length), name]);
  const head = Buffer.alloc(5);
  head.writeUInt32BE(message.length, 1);
  return Buffer.concat([head, message]);
}

function healthStatus(framed: Buffer): number {
  return framed[5] === 0x08 ? (framed[6] ?? 0) : 0;
}
