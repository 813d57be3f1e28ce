import test from 'ava';
import * as fc from 'fast-check';
import { DomainTable, stripPort } from './domains.js';
import { InvalidConfig } from './invalid.js';

function table(...domains: string[]): DomainTable<string> {
  const out = new DomainTable<string>();
  for (const domain of domains) out.add(domain, domain, domain);
  return out;
}

test('exact, then the longest suffix wildcard, then the longest prefix wildcard, then *', (t) => {
  const domains = table('*', 'www.foo.com', '*.foo.com', '*-bar.foo.com', 'foo.*', 'foo-*');
  const expected: Record<string, string> = {
    'www.foo.com': 'www.foo.com',
    'WWW.Foo.com': 'www.foo.com',
    'a.foo.com': '*.foo.com',
    'x-bar.foo.com': '*-bar.foo.com',
    'foo.org': 'foo.*',
    'foo-1': 'foo-*',
    'foo.com': 'foo.*',
    'bar.org': '*',
  };
  for (const [host, domain] of Object.entries(expected)) t.is(domains.find(host), domain, host);
  t.is(table('*.foo.com').find('.foo.com'), undefined, 'a wildcard stands for at least one character');
  t.is(table('a').find('b'), undefined);
});

test('the same domain twice is refused', (t) => {
  for (const domain of ['*', 'a', '*.a', 'a.*']) t.throws(() => table(domain, domain), { instanceOf: InvalidConfig });
  t.throws(() => table(''), { instanceOf: InvalidConfig });
});

test('ports come off, IPv6 literals stay whole', (t) => {
  const expected = {
    'a:80': 'a',
    a: 'a',
    '[::1]:80': '[::1]',
    '[::1]': '[::1]',
    '::1': '::1',
    '10.0.0.1:1': '10.0.0.1',
  };
  for (const [host, stripped] of Object.entries(expected)) t.is(stripPort(host), stripped);
});

test('property: the table finds what trying every domain in order of precedence finds', (t) => {
  const label = fc.constantFrom('a', 'b', 'ab', 'ba');
  const name = fc.array(label, { minLength: 1, maxLength: 3 }).map((parts) => parts.join('.'));
  const domain = fc.oneof(
    name,
    name.map((n) => `*.${n}`),
    name.map((n) => `${n}.*`),
    fc.constant('*'),
  );
  fc.assert(
    fc.property(fc.uniqueArray(domain), name, (domains, host) => {
      const found = table(...domains).find(host);
      const longest = (list: string[]): string | undefined => list.sort((x, y) => y.length - x.length)[0];
      const suffixes = domains.filter(
        (d) => d.startsWith('*') && d.length > 1 && host.length > d.length - 1 && host.endsWith(d.slice(1)),
      );
      const prefixes = domains.filter(
        (d) => d.endsWith('*') && d.length > 1 && host.length > d.length - 1 && host.startsWith(d.slice(0, -1)),
      );
      const any = domains.includes('*') ? '*' : undefined;
      t.is(found, domains.includes(host) ? host : (longest(suffixes) ?? longest(prefixes) ?? any));
    }),
  );
});
