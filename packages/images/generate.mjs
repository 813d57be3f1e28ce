// Writes the catalogue of built-in images. Its form is described in docs/architecture.md.
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

const program = (name, ...args) => ['${node}', '${image}/bin/' + name + '.cjs', ...args];
const proxy = '${image}/../../proxy/dist/bin/proxy.cjs';
// A small young generation: a proxy's garbage dies young, and there is one proxy in every pod.
const proxyFlags = ['--max-semi-space-size=2'];
// First on PATH in images that people use for their shell and tools: clients that know the cluster's names.
const tools = {
  PATH: '${image}/../tools:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin',
  FLOTILLA_NODE_BINARY: '${node}',
};

const bookinfo = ['v1', 'v2', 'v3'].map((version) => ({
  names: [`examples-bookinfo-reviews-${version}`],
  entrypoint: program('bookinfo', 'reviews', version),
  env: {
    SERVICE_VERSION: version,
    ENABLE_RATINGS: String(version !== 'v1'),
    ...(version === 'v3' ? { STAR_COLOR: 'red' } : {}),
  },
}));

const images = [
  ...['productpage', 'details', 'ratings'].map((service) => ({
    names: [`examples-bookinfo-${service}-v1`],
    entrypoint: program('bookinfo', service, 'v1'),
  })),
  ...bookinfo,
  { names: ['proxyv2'], entrypoint: ['${node}', ...proxyFlags, proxy], shim: false },
  { names: ['pause'], entrypoint: ['/bin/sh', '-c', 'trap "exit 0" TERM INT; while :; do sleep 3600 & wait $!; done'] },
  { names: ['busybox', 'alpine', 'debian', 'ubuntu', 'bash'], entrypoint: [], cmd: ['/bin/sh'], env: tools },
  { names: ['curlimages/curl', 'curl'], entrypoint: ['${image}/../tools/curl'], cmd: ['--help'], env: tools },
  { names: ['hashicorp/http-echo', 'http-echo'], entrypoint: program('http-echo') },
  { names: ['httpbin'], entrypoint: program('httpbin') },
  { names: ['go-httpbin'], entrypoint: program('httpbin'), env: { PORT: '8080' } },
  { names: ['nginx'], entrypoint: program('nginx') },
];

export function generate({ root }) {
  const dir = join(root, 'packages', 'images', 'dist');
  mkdirSync(dir, { recursive: true });
  writeFileSync(join(dir, 'catalogue.json'), JSON.stringify({ images }, null, 2));
}
