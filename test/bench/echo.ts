/** An echo service behind the ingress gateway, as API objects. */
export function echoObjects(replicas: number): { path: string; body: object }[] {
  const labels = { app: 'echo' };
  const mesh = 'networking.istio.io/v1';
  return [
    {
      path: '/apis/apps/v1/namespaces/default/deployments',
      body: {
        apiVersion: 'apps/v1',
        kind: 'Deployment',
        metadata: { name: 'echo' },
        spec: {
          replicas,
          selector: { matchLabels: labels },
          template: {
            metadata: { labels },
            spec: {
              containers: [
                {
                  name: 'echo',
                  image: 'hashicorp/http-echo:1.0',
                  args: ['-text=hello'],
                  ports: [{ containerPort: 5678 }],
                  readinessProbe: { httpGet: { path: '/health', port: 5678 }, periodSeconds: 1 },
                },
              ],
            },
          },
        },
      },
    },
    {
      path: '/api/v1/namespaces/default/services',
      body: {
        apiVersion: 'v1',
        kind: 'Service',
        metadata: { name: 'echo' },
        spec: { selector: labels, ports: [{ name: 'http', port: 80, targetPort: 5678 }] },
      },
    },
    {
      path: `/apis/${mesh}/namespaces/default/gateways`,
      body: {
        apiVersion: mesh,
        kind: 'Gateway',
        metadata: { name: 'echo' },
        spec: {
          selector: { istio: 'ingressgateway' },
          servers: [{ port: { number: 80, name: 'http', protocol: 'HTTP' }, hosts: ['*'] }],
        },
      },
    },
    {
      path: `/apis/${mesh}/namespaces/default/virtualservices`,
      body: {
        apiVersion: mesh,
        kind: 'VirtualService',
        metadata: { name: 'echo' },
        spec: {
          hosts: ['*'],
          gateways: ['echo'],
          http: [{ route: [{ destination: { host: 'echo', port: { number: 80 } } }] }],
        },
      },
    },
  ];
}
