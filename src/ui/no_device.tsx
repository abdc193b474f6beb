import { webgpuHelp } from "./webgpu_help.ts";

/** What stands in the notebook's place where the browser gives no GPU. */
export function NoDevice({ message }: { message: string }) {
  return (
    <section class="panel no-device" aria-labelledby="no-device-title">
      <div>
        <h2 id="no-device-title">This browser gives no GPU to train on</h2>
        <p role="alert">{message}</p>
        <dl>
          {webgpuHelp(navigator.userAgent, window.isSecureContext).map(({ title, text }) => (
            <div key={title}>
              <dt>{title}</dt>
              <dd>{text}</dd>
            </div>
          ))}
        </dl>
        <div class="begin">
          <button type="button" class="primary" onClick={() => location.reload()}>
            Try again
          </button>
          <p class="caption">Everything else on this page can be looked at meanwhile; the ? button explains it.</p>
        </div>
      </div>
    </section>
  );
}
