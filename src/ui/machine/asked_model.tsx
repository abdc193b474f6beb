import { useSession } from "../session.ts";

/** The offer to load the model that the page's address names: nothing is downloaded unasked. */
export function AskedModel() {
  const session = useSession();
  const { config, workbench, busy, lesson } = session;
  const { model: name } = config.value;
  const loaded = workbench.model.value;
  if (name === "" || loaded === null || loaded.id === name || busy.value || lesson.step.value !== null) return null;
  if (workbench.loading.value !== null) return null;
  const take = () => {
    session.configure({ view: "machine" }); // where its progress is shown
    void workbench.download(name);
  };
  return (
    <p class="notice" role="status">
      <span>
        The address of this page asks for the model <strong>{name}</strong>
        {/^https?:/.test(name) ? "" : ` from ${workbench.remote.value.hub}`}.
      </span>
      <button type="button" onClick={take}>
        Load it
      </button>
      <button type="button" onClick={() => session.configure({ model: "", hub: "" })}>
        No
      </button>
    </p>
  );
}
