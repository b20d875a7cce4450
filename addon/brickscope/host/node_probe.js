// Run by Node as text after -e: one call with fetch, as a program of Node's would make it. BRICKSCOPE_DOCTOR_URL names it.
// A Node that reads no proxy variable is told the proxy by BRICKSCOPE_DOCTOR_PROXY, so that at least its trust is tried.
const url = new URL(process.env.BRICKSCOPE_DOCTOR_URL);
const proxy = new URL(process.env.BRICKSCOPE_DOCTOR_PROXY);
const [major, minor] = process.versions.node.split('.').map(Number);
const readsVariables = major > 24 || (major === 24 && minor >= 5) || (major === 22 && minor >= 21);
const say = result => {
  process.stdout.write(JSON.stringify({version: process.versions.node, readsVariables, ...result}), () => process.exit(0));
};
const fail = error => {
  const cause = (error && error.cause) || error || {};
  say({error: [cause.code, cause.message || String(cause)].filter(Boolean).join(': ')});
};
setTimeout(() => fail(new Error('no answer within 9 s')), 9000);
if (readsVariables) {
  fetch(url, {redirect: 'manual'})
    .then(answer => say({status: answer.status, reason: answer.headers.get('x-brickscope-reason')}), fail);
} else {
  const headers = {};
  if (proxy.username) {
    const user = decodeURIComponent(proxy.username) + ':' + decodeURIComponent(proxy.password);
    headers['Proxy-Authorization'] = 'Basic ' + Buffer.from(user).toString('base64');
  }
  require('http')
    .request({host: proxy.hostname, port: proxy.port, method: 'CONNECT', path: url.hostname + ':443', headers})
    .on('connect', (opened, socket) => {
      require('https')
        .get(url, {createConnection: () => require('tls').connect({socket, servername: url.hostname})})
        .on('response', answer => say({status: answer.statusCode, reason: answer.headers['x-brickscope-reason'] || null}))
        .on('error', fail);
    })
    .on('error', fail)
    .end();
}
