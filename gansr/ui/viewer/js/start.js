new ResizeObserver(() => layout()).observe(el.stage);
watch("value", () => update(props.value));
update(props.value);
