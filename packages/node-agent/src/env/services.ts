import type { core } from '@flotilla/api';

/** The variables by which Docker links once announced services, for all services with a cluster IP (kubelet/envvars). */
export function serviceEnv(services: Iterable<core.Service>): Record<string, string> {
  const env: Record<string, string> = {};
  for (const { metadata, spec } of services) {
    const ip = spec.clusterIP;
    const ports = spec.ports ?? [];
    const [first] = ports;
    if (!ip || ip === 'None' || !first) continue;
    const prefix = variable(metadata.name ?? '');
    env[`${prefix}_SERVICE_HOST`] = ip;
    env[`${prefix}_SERVICE_PORT`] = String(first.port);
    for (const port of ports) if (port.name) env[`${prefix}_SERVICE_PORT_${variable(port.name)}`] = String(port.port);
    env[`${prefix}_PORT`] = `${(first.protocol ?? 'TCP').toLowerCase()}://${ip}:${first.port}`;
    for (const { port, protocol = 'TCP' } of ports) {
      const link = `${prefix}_PORT_${port}_${protocol}`;
      env[link] = `${protocol.toLowerCase()}://${ip}:${port}`;
      env[`${link}_PROTO`] = protocol.toLowerCase();
      env[`${link}_PORT`] = String(port);
      env[`${link}_ADDR`] = ip;
    }
  }
  return env;
}

function variable(name: string): string {
  return name.toUpperCase().replaceAll('-', '_');
}
